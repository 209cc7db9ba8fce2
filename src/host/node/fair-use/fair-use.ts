/** Fair use of this host's processors for one virtual machine, from the start of its run to its end. */
import { availableParallelism, getPriority } from 'node:os';
import type { Statistics } from '../../../machine/config.ts';
import { identifyProcess } from '../vms/process-identity.ts';
import { enterCgroup } from './cgroup.ts';
import { type GovernedProcessors, Governor } from './governor.ts';
import { ShareBoard } from './share-board.ts';
import { fewestShares, type ProcessorShare } from './share-record.ts';
import { HostIdle } from './usage.ts';

/** What the user asked for; `shares` undefined: nothing was said. */
export type ShareOptions = Omit<ProcessorShare, 'shares'> & { readonly shares: number | undefined };

export interface FairUse {
  statistics(): Statistics;
  end(): void;
}

const defaultShares = 1024;
/** As the kernel weighs a step of nice. sched(7). */
const niceFactor = 1.25;

/** @param notice told in a sentence what is not as it was asked for */
export function beginFairUse(
  processors: GovernedProcessors,
  options: ShareOptions,
  notice: (text: string) => void,
): FairUse {
  const identity = identifyProcess(process.pid) ?? { pid: process.pid, started: '' };
  const opened = ShareBoard.open(process.pid);
  if (!opened.ok && (options.shares !== undefined || options.reserve > 0)) {
    notice(`other virtual machines do not hear of --cpu-shares and --cpu-reserve: ${opened.error.message}`);
  }
  // What the kernel does as well needs no privileges either, where somebody has prepared it. Nobody asked: nothing moves.
  const asked = options.shares !== undefined || options.limit !== undefined;
  const cgroup = asked ? enterCgroup(options, process.pid) : undefined;
  const board = opened.ok ? opened.value : undefined;
  const idle = new HostIdle();
  const host = { cores: availableParallelism(), idleCores: (nowNs: number) => idle.cores(nowNs), usedNs };
  const share = { ...options, shares: options.shares ?? sharesOf(niceness()) };
  const governor = new Governor({ host, processors, share, identity, board });
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = setTimeout(look, governor.look()).unref();
  };
  look();
  return {
    statistics: () => ({ ...governor.statistics(), inOwnCgroup: cgroup?.ok === true ? 1 : 0 }),
    end: () => {
      clearTimeout(timer);
      governor.end();
      board?.close();
      if (cgroup?.ok === true) cgroup.value.leave();
    },
  };
}

/** Who makes way for other programs makes way for other virtual machines, too. */
export const sharesOf = (nice: number): number =>
  Math.max(fewestShares, Math.round(defaultShares / niceFactor ** nice));

function niceness(): number {
  try {
    return getPriority();
  } catch {
    return 0;
  }
}

function usedNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
