import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProgram } from '../../src/cli/testing/corbel-process.ts';
import type { CodeSize, Translates } from './hostile-guest.ts';
import type { FuzzReport } from './run.ts';

const program = fileURLToPath(new URL('./run.ts', import.meta.url));
const sizes: readonly CodeSize[] = [16, 32, 64];
const translations: readonly Translates[] = ['never', 'hot', 'always'];

/** A block that is being run comes to its end, and so does a round of REP. */
const mostOverrun = 256;
/** A run that translates everything at every step takes seconds on a slow host; one that hangs, for ever. */
const longestRunMs = 60_000;
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
    for (const size of sizes) {
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
          checkReport(JSON.parse(stdout.toString()) as FuzzReport, lane);
        });
      }
    }
  });
}

function checkReport(report: FuzzReport, lane: FuzzLane): void {
  assert.ok(report.instructions >= lane.instructions);
  assert.ok(report.overrun <= mostOverrun, `a run overran its budget by ${report.overrun} instructions`);
  assert.ok(report.longestRunMs <= longestRunMs, `a run took ${report.longestRunMs} ms`);
  assert.ok(report.finalMegabytes <= mostMegabytes, `it took ${report.finalMegabytes} MB`);
  const growth = report.finalMegabytes - report.halfwayMegabytes;
  assert.ok(growth <= mostGrowthMegabytes, `it grew by ${growth} MB in its second half`);
}
