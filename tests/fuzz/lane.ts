import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProgram } from '../../src/cli/testing/corbel-process.ts';
import type { CodeSize, Translates } from './hostile-guest.ts';
import type { FuzzReport } from './run.ts';

const program = fileURLToPath(new URL('./run.ts', import.meta.url));
/** 16-bit code is not translated: `verify` has nothing to compare there. */
const ways: readonly [CodeSize, readonly Translates[]][] = [
  [16, ['never', 'hot', 'always']],
  [32, ['never', 'hot', 'always', 'staying', 'verify']],
  [64, ['never', 'hot', 'always', 'staying', 'verify']],
];

/** A block or a region that is being run comes to its end, and REP MOVS or STOS to that of its page, an element an instruction. */
const mostOverrun = 512 + 4096;
/** A run that translates everything, at every step that changes its code, takes many seconds; one that hangs, for ever. */
const longestRunMs: Readonly<Record<Translates, number>> = {
  never: 5000,
  hot: 10_000,
  always: 90_000,
  staying: 90_000,
  verify: 90_000,
};
/** What the process takes at most, and how much of it may come in the second half. */
const mostMegabytes = 1200;
const mostGrowthMegabytes = 300;

export interface FuzzLane {
  readonly instructions: number;
  readonly seed: number;
  readonly timeoutMs: number;
}

/** One test per mode and way of translation: nothing throws, every run comes back, memory does not grow for ever. */
export function defineFuzzLane(lane: FuzzLane): void {
  describe('random code', { concurrency: availableParallelism() }, () => {
    for (const [size, translations] of ways) {
      for (const translates of translations) {
        test(`${size}-bit, translated: ${translates}`, { timeout: lane.timeoutMs }, async (t) => {
          const args = [size, translates, lane.seed, lane.instructions].map(String);
          t.diagnostic(`node tests/fuzz/run.ts ${args.join(' ')}`);
          const command = [process.execPath, '--disable-warning=ExperimentalWarning', program, ...args];
          const { child, ended } = startProgram(command, new Uint8Array(0));
          t.signal.addEventListener('abort', () => child.kill('SIGKILL'));
          const { status, stdout, stderr } = await ended;
          assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
          t.diagnostic(stdout.toString());
          checkReport(JSON.parse(stdout.toString()) as FuzzReport, lane, longestRunMs[translates]);
        });
      }
    }
  });
}

function checkReport(report: FuzzReport, lane: FuzzLane, longestMs: number): void {
  assert.ok(report.instructions >= lane.instructions);
  assert.ok(report.overrun <= mostOverrun, `a run overran its budget by ${report.overrun} instructions`);
  assert.ok(report.longestRunMs <= longestMs, `a run took ${report.longestRunMs} ms`);
  assert.ok(report.finalMegabytes <= mostMegabytes, `it took ${report.finalMegabytes} MB`);
  const growth = report.finalMegabytes - report.halfwayMegabytes;
  assert.ok(growth <= mostGrowthMegabytes, `it grew by ${growth} MB in its second half`);
}
