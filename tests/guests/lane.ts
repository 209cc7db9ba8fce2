import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Machine } from './expected.ts';
import { assemble, type CheckOptions, check, findNasm, findQemu, type Guest, listGuests } from './run.ts';

export interface Lane extends CheckOptions {
  readonly slow: boolean;
  /** Leave out guests with more or fewer processors. */
  readonly maxCpus?: number;
  readonly minCpus?: number;
  /** Default: all. */
  readonly machines?: readonly Machine[];
}

/** QEMU is a second opinion on what is expected: on a busy host its timers can fire twice, and once is enough for it. */
const attempts: Readonly<Record<Machine, number>> = { qemu: 3, corbel: 1 };

async function judge(guest: Guest, machine: Machine, elf: string, options: CheckOptions): Promise<string | undefined> {
  let problem: string | undefined;
  for (let n = 0; n < attempts[machine]; n++) {
    problem = await check(guest, machine, elf, options);
    if (problem === undefined) return undefined;
  }
  return problem;
}

/** Defines one test per guest: its output under QEMU (where installed) and Corbel is what the manual dictates. */
export function defineLane(lane: Lane): void {
  const directory = mkdtempSync(join(tmpdir(), 'corbel-guests-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const wanted = (process.env.GUEST_MACHINES?.split(',') as Machine[] | undefined) ?? ['qemu', 'corbel'];
  const machines = wanted.filter((machine) => lane.machines?.includes(machine) ?? true);
  const nasm = findNasm();
  const withoutQemu = findQemu() === undefined;
  const ways = [lane.accel, ...(lane.nodeOptions ?? [])].filter((way) => way !== undefined);
  describe(['bare-metal guests', ...ways].join(', '), {
    concurrency: availableParallelism(),
  }, () => {
    for (const guest of listGuests(lane.slow)) {
      const { cpus } = guest.expected;
      if (cpus > (lane.maxCpus ?? cpus) || cpus < (lane.minCpus ?? cpus)) continue;
      test(guest.name, async (t) => {
        const elf = await assemble(await nasm, guest.name, directory);
        const problems: (string | undefined)[] = [];
        for (const machine of machines) {
          if (machine === 'qemu' && guest.expected.notQemu) continue;
          if (machine === 'qemu' && withoutQemu) t.diagnostic('QEMU is not installed: compared with the manual alone');
          else problems.push(await judge(guest, machine, elf, lane));
        }
        const found = problems.filter((problem) => problem !== undefined);
        assert.ok(found.length === 0, `\n${found.join('\n')}`);
      });
    }
  });
}
