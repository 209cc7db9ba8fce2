/** A shell script in the place of a guest: what is driven here is the console, not a machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guest } from './guest.ts';

function scripted(script: string): Guest {
  return new Guest({ program: 'sh', args: ['-c', script] });
}

const serve = `
echo noise; echo @bench init@; echo @bench ready@
while read -r verb name && [ "$verb" = run ]; do
  echo "@bench start $name@"; echo "@bench end $name \${name#status-}@"; echo "@bench output $name abc@"
done`;

test('boots, runs a workload, reports a failing one without dying, powers off', async () => {
  const guest = scripted(serve);
  const ready = await guest.boot(true);
  assert.ok(ready.ok && ready.value.atMs >= guest.startedMs);
  const run = await guest.run('status-0', 10_000);
  assert.ok(run.ok && run.value.output === 'abc' && run.value.seconds >= 0);
  const failing = await guest.run('status-3', 10_000);
  assert.ok(!failing.ok && failing.error.kind === 'status');
  assert.match(failing.error.message, /status 3/);
  assert.ok((await guest.run('status-0', 10_000)).ok);
  await guest.off();
});

test('a guest that ends says why, with its last words', async () => {
  const guest = scripted('echo "Kernel panic"; echo "corbel: the guest died" >&2; exit 75');
  const ready = await guest.boot(true);
  assert.ok(!ready.ok);
  assert.match(ready.error.message, /status 75.*the guest died/);
});

test('a guest that keeps silent is given up, and killed', async () => {
  const guest = scripted('exec sleep 1000');
  const marker = await guest.expect('init', 50);
  assert.ok(!marker.ok && marker.error.kind === 'timeout');
  await guest.kill();
});

test('a program that does not exist is a reason, not an exception', async () => {
  const ready = await new Guest({ program: '/nonexistent/machine', args: [] }).boot(true);
  assert.ok(!ready.ok);
  assert.match(ready.error.message, /ENOENT/);
});
