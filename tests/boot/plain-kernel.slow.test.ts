/** Debian's kernel for any machine (not the cloud's) reaches the shell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corbel } from './corbel.ts';
import { plainKernel, providePackageFile } from './package-file.ts';

const timeoutSeconds = 600;

for (const accel of ['interpret', 'translate']) {
  test(`linux-image-amd64 runs a command with --accel ${accel}`, { timeout: timeoutSeconds * 1100 }, async () => {
    const kernel = await providePackageFile(plainKernel);
    const command = 'uname -sm; uname -r; grep -c ^processor /proc/cpuinfo; echo $$ >&2; exit 3';
    const limits = ['--timeout', String(timeoutSeconds)];
    const ended = await corbel(['run', 'linux', '--kernel', kernel, '--accel', accel, ...limits, '--exec', command]);
    assert.match(ended.stdout.toString(), /^Linux x86_64\n[0-9.-]+-amd64\n1\n$/);
    assert.match(ended.stderr, /^[0-9]+\n$/);
    assert.equal(ended.status, 3);
  });
}
