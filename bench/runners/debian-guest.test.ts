/** Shell scripts in the place of a machine, and of the shell behind SSH. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MarkerReader } from '../guest/marker.ts';
import { runOwned } from '../measure/owned-process.ts';
import { DebianGuest, timedScript } from './debian-guest.ts';

const sh = (script: string) => ({ program: 'sh', args: ['-c', script] });
const run = (script: string) => runOwned(sh(script), { timeoutMs: 60_000 });

test('the prompt is found, also when it comes in pieces', async () => {
  let gone = false;
  const guest = new DebianGuest(
    sh("printf 'debian log'; sleep 0.1; printf 'in: '; exec sleep 1000"),
    undefined,
    async () => {
      gone = true;
    },
  );
  const seconds = await guest.logIn();
  assert.ok(seconds.ok && seconds.value >= 0.1);
  assert.equal(guest.end, undefined);
  await guest.kill();
  assert.ok(gone);
  assert.match(guest.end ?? '', /SIGKILL/);
});

test('a machine that ends before it says why', async () => {
  const guest = new DebianGuest(sh('echo "cannot open the disk" >&2; exit 65'), undefined);
  const seconds = await guest.logIn();
  assert.ok(!seconds.ok);
  assert.match(seconds.error.message, /status 65.*cannot open the disk/);
  const done = await guest.run('true', 1000);
  assert.ok(!done.ok && done.error.kind === 'died');
});

test('without ssh there is a reason', async () => {
  const guest = new DebianGuest(sh('exec sleep 1000'), undefined);
  const done = await guest.reach(1000);
  assert.ok(!done.ok);
  assert.match(done.error.message, /ssh is not installed/);
  await guest.kill();
});

test('what is timed is the command alone, between two markers', async () => {
  const ran = await run(timedScript('echo prepared', 'echo much; true'));
  assert.ok(ran.ok);
  assert.deepEqual(new MarkerReader().push(ran.value), [
    { kind: 'start', words: ['timed'] },
    { kind: 'end', words: ['timed', '0'] },
  ]);
});

test('a command that fails, and one that cannot be prepared, fail with the last that they said', async () => {
  const failed = await run(timedScript(':', 'echo some; echo last; exit 4'));
  assert.ok(!failed.ok);
  assert.equal(failed.error.message, 'it ended with status 4: last');
  const unprepared = await run(timedScript('echo no room; false', 'true'));
  assert.ok(!unprepared.ok);
  assert.equal(unprepared.error.message, 'it ended with status 1: no room');
});
