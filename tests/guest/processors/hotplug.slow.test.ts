/** Linux takes processors off line and back while the others work. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { startLinux } from '../linux-process.ts';
import { loadFunctions, readAccount, showLog } from './guest-load.ts';

/** CORBEL_GUEST_SEED repeats a run. */
const seed = Number(process.env.CORBEL_GUEST_SEED ?? randomInt(2 ** 31));
const rounds = 100;

test('processors go off line and come back, in any order and under load', { timeout: 900_000 }, async (t) => {
  t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
  const command = `${loadFunctions}
start_load 4
seed=${seed} changes=0
for i in $(seq ${rounds}); do
  seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
  file=/sys/devices/system/cpu/cpu$((1 + (seed >> 16) % 3))/online
  wanted=$((1 - $(cat $file)))
  echo $wanted >$file && [ $(cat $file) = $wanted ] && changes=$((changes + 1))
done
for n in 1 2 3; do echo 1 >/sys/devices/system/cpu/cpu$n/online; done
echo changes $changes on line $(cat /sys/devices/system/cpu/online)
end_load
${showLog}`;
  const ended = await startLinux(['--timeout', '800', '--cpus', '4', '--exec', command]).ended;
  const { output, log, complaints } = readAccount(ended.stdout.toString());
  assert.deepEqual([ended.status, complaints], [0, []]);
  assert.match(output, new RegExp(`^changes ${rounds} on line 0-3\nrounds [1-9][0-9]*\n$`));
  const offline = log.match(/is now offline/g)?.length ?? 0;
  const booted = log.match(/Booting Node 0 Processor [123] /g)?.length ?? 0;
  assert.ok(offline > rounds / 3 && booted >= offline, `${offline} times off line, ${booted} starts`);
});
