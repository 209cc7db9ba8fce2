import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Machine } from './expected.ts';
import { assemble, check, findNasm, findQemu, listGuests } from './run.ts';

/** Defines one test per guest: its output under QEMU (where installed) and Corbel is what the manual dictates. */
export function defineLane(lane: { slow: boolean; timeoutMs: number }): void {
  const directory = mkdtempSync(join(tmpdir(), 'corbel-guests-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const machines: Machine[] = (process.env.GUEST_MACHINES?.split(',') as Machine[] | undefined) ?? ['qemu', 'corbel'];
  const nasm = findNasm();
  const withoutQemu = findQemu() === undefined;
  describe('bare-metal guests', { concurrency: availableParallelism() }, () => {
    for (const guest of listGuests(lane.slow)) {
      test(guest.name, async (t) => {
        const elf = await assemble(await nasm, guest.name, directory);
        const problems: (string | undefined)[] = [];
        for (const machine of machines) {
          if (machine === 'qemu' && guest.expected.notQemu) continue;
          if (machine === 'qemu' && withoutQemu) t.diagnostic('QEMU is not installed: compared with the manual alone');
          else problems.push(await check(guest, machine, elf, lane.timeoutMs));
        }
        const found = problems.filter((problem) => problem !== undefined);
        assert.ok(found.length === 0, `\n${found.join('\n')}`);
      });
    }
  });
}
