/**
 * memtest86+ from the distribution's package, by its Linux boot header: a whole first pass over 64 MB. Its screen comes
 * over the serial line (`console=`); `nopause` skips the pause for the keyboard, `nobench` the measurement of caches.
 * Source: memtest86+ README, "Boot Options".
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCorbel } from './corbel.ts';
import { memtest, providePackageFile } from './package-file.ts';
import { Screen } from './screen.ts';

const memoryMegabytes = 64;
/** The bit fade test alone waits for 160 seconds; the rest takes one to three minutes on an idle host. */
const timeoutMs = 2_400_000;
const line = { test: 4, range: 5, status: 8, result: 9 } as const;

/** Runs memtest until it says that a pass is complete. @returns its last screen, and the tests that it was seen in */
async function firstPass(accel: string): Promise<{ screen: Screen; tests: Set<number> }> {
  const kernel = await providePackageFile(memtest);
  const options = ['nopause', 'nobench', 'console=ttyS0,115200'];
  const machine = ['--memory', `${memoryMegabytes}M`, '--accel', accel];
  const running = startCorbel(['run', '--kernel', kernel, ...machine, '--append', options.join(' ')]);
  const screen = new Screen();
  const tests = new Set<number>();
  const complete = new Promise<void>((resolve) => {
    running.child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      screen.write(text);
      const number = /#([0-9]+) /.exec(screen.line(line.test))?.[1];
      if (number !== undefined) tests.add(Number(number));
      const { passes, errors } = resultOf(screen);
      if (passes > 0 || errors > 0) resolve();
    });
  });
  const ended = running.ended.then(({ status, stderr }) => {
    throw new Error(`it ended with status ${status}: ${stderr}\n${screen}`);
  });
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no pass in ${timeoutMs / 1000} s:\n${screen}`)), timeoutMs - 5000).unref();
  });
  try {
    await Promise.race([complete, ended, late]);
  } finally {
    running.child.kill('SIGTERM');
  }
  return { screen, tests };
}

function resultOf(screen: Screen): { passes: number; errors: number } {
  const match = /Pass: +([0-9]+) +Errors: +([0-9]+)/.exec(screen.line(line.result));
  return { passes: Number(match?.[1] ?? 0), errors: Number(match?.[2] ?? 0) };
}

describe('memtest86+ passes', { concurrency: true }, () => {
  for (const accel of ['interpret', 'translate']) {
    test(`--accel ${accel}`, { timeout: timeoutMs }, async (t) => {
      const { screen, tests } = await firstPass(accel);
      assert.deepEqual(resultOf(screen), { passes: 1, errors: 0 }, `${screen}`);
      assert.match(screen.line(line.status), /Status: Pass/, `${screen}`);
      assert.match(screen.line(6), /Memory +: +64MB/, `${screen}`);
      // The quick ones come and go between two refreshments of the screen; these take seconds anywhere.
      for (const number of [6, 9, 10]) assert.ok(tests.has(number), `test ${number} is not among ${[...tests]}`);
      t.diagnostic(/Time: +([0-9:]+)/.exec(screen.line(line.status))?.[0] ?? '');
    });
  }
});
