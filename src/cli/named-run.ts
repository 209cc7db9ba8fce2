/** Runs of virtual machines that have a name: with this terminal, and without one. */
import { constants } from 'node:os';
import { basename } from 'node:path';
import type { GuestAttendant } from '../host/node/guest-attendant.ts';
import { keepMessages, reportStarted, startDetached } from '../host/node/vms/detached-process.ts';
import { abandonVm, claimVm, finishVm, type VmClaim, vmNames } from '../host/node/vms/registry.ts';
import { VmAttendance } from '../host/node/vms/vm-attendance.ts';
import { generateVmName } from '../host/node/vms/vm-name.ts';
import { ok, type Result } from '../support/result.ts';
import { type RunEnd, refuse } from './conclusion.ts';
import { detachedCommand } from './detached-command.ts';
import { exitStatus } from './exit-status.ts';
import { say } from './messages.ts';
import type { RunOptions } from './run-options.ts';

export interface NamedRun {
  readonly name: string;
  readonly options: RunOptions;
  /** The arguments of `run`. */
  readonly args: readonly string[];
  /** The file that the messages of a process without a terminal go to. */
  readonly messages: string | undefined;
}

/** Starts a process of its own for the virtual machine, and prints its name once it runs. */
export async function runDetached(options: RunOptions, args: readonly string[]): Promise<number> {
  const name = options.name ?? generateVmName(new Set(vmNames()));
  const started = await startDetached(
    (messages) => [detachedCommand, name, messages, ...args],
    (text) => void process.stderr.write(text),
  );
  if (!started.ok) return refuse(started.error);
  if (started.value.kind === 'ended') return started.value.status;
  process.stdout.write(`${name}\n`);
  return exitStatus.ok;
}

/** Runs a guest under its name in this process. */
export async function runNamed(vm: NamedRun, run: (attendant: GuestAttendant) => Promise<RunEnd>): Promise<number> {
  const claimed = claimVm({
    name: vm.name,
    createdAt: new Date().toISOString(),
    arguments: vm.args,
    folder: process.cwd(),
    boots: vm.options.kernel === undefined ? 'linux' : basename(vm.options.kernel),
    memoryBytes: vm.options.memoryBytes,
    detached: vm.options.detach,
  });
  if (!claimed.ok) return refuse(claimed.error);
  const claim = claimed.value;
  const attendance = await attend(claim, vm);
  if (!attendance.ok) {
    giveBack(claim, false, { status: exitStatus.badInput, kind: 'refused', summary: attendance.error.message });
    return refuse(attendance.error);
  }
  const signals = endBySignalBetweenRuns(claim, attendance.value);
  const end = await run(attendance.value);
  signals.ignore();
  await attendance.value.close();
  giveBack(claim, attendance.value.hasRun, end);
  return end.status;
}

async function attend(claim: VmClaim, vm: NamedRun): Promise<Result<VmAttendance>> {
  const kept = vm.messages === undefined ? ok(undefined) : keepMessages(vm.messages, claim);
  if (!kept.ok) return kept;
  return VmAttendance.open(claim, vm.options.detach, reportStarted);
}

function giveBack(claim: VmClaim, hasRun: boolean, { status, kind, summary }: RunEnd): void {
  const outcome = { status, kind, summary, endedAt: new Date().toISOString() };
  const given = hasRun ? finishVm(claim, outcome) : abandonVm(claim, outcome);
  if (!given.ok) say(given.error.message);
}

/** Before the guest runs, and while it reboots, there is no run that a signal would end. `ignore`: it ends already. */
function endBySignalBetweenRuns(claim: VmClaim, attendance: VmAttendance): { ignore(): void } {
  let ending = false;
  const signals = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (ending || attendance.running || (signal === 'SIGHUP' && attendance.detached)) return;
    const status = exitStatus.signalBase + constants.signals[signal];
    giveBack(claim, attendance.hasRun, { status, kind: 'signal', summary: `ended by ${signal}` });
    process.exit(status);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    ignore: () => {
      ending = true;
    },
  };
}
