/** Debian's kernel and userland under the accelerators: translated, and in lockstep with the interpreter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLinux } from './linux-process.ts';

/** Work that spreads over kernel and user code: processes, pipes, memory, integers. */
const work = 'i=0; while [ $i -lt 200 ]; do i=$((i+1)); /bin/true; done; echo $i; busybox sha256sum </bin/busybox';
const lockstepTimeoutMs = 1_800_000;
/** Half of what a boot alone compares. */
const leastVerifiedRuns = 30_000;

const outputs = new Map<string, string>();

for (const accel of ['interpret', 'translate', 'verify']) {
  test(`the linux guest boots and works with --accel ${accel}`, { timeout: lockstepTimeoutMs }, async () => {
    const timeout = String(lockstepTimeoutMs / 1000 - 60);
    const options = ['--timeout', timeout, '--accel', accel, '--stats', '--json'];
    const ended = await startLinux([...options, '--exec', work]).ended;
    const { verifiedRuns } = JSON.parse(ended.stderr);
    assert.equal(ended.status, 0);
    if (accel === 'verify') assert.ok(verifiedRuns >= leastVerifiedRuns, `compared ${verifiedRuns} runs`);
    else assert.equal(verifiedRuns, undefined);
    outputs.set(accel, ended.stdout.toString());
    assert.match(ended.stdout.toString(), /^200\n[0-9a-f]{64} /);
    assert.equal(outputs.get(accel), outputs.get('interpret'));
  });
}
