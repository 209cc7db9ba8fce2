/** A Linux with several processors under load, while somebody outside pauses it again and again. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { useVmHome } from '../../../src/host/node/vms/testing/vm-home.ts';
import { Random } from '../../oracle/random.ts';
import { loadFunctions, readAccount, showLog } from './guest-load.ts';
import { buildProgram } from './guest-program.ts';
import { type NamedLinux, startNamedLinux } from './named-linux.ts';
import { unpackDisk, writePackageDisk } from './package-disk.ts';

const home = useVmHome();
/** CORBEL_GUEST_SEED repeats a run, as far as time allows. */
const seed = Number(process.env.CORBEL_GUEST_SEED ?? randomInt(2 ** 31));
const pauses = 100;
const options = { timeout: 900_000 };

/** Pauses at random moments for random times. @returns how long pausing took each time, and all pauses, in ms */
async function pauseOften(guest: NamedLinux, random: Random): Promise<{ latencies: number[]; pausedMs: number }> {
  const latencies: number[] = [];
  let pausedMs = 0;
  for (let n = 0; n < pauses; n++) {
    await delay(random.below(100));
    const asked = performance.now();
    await guest.ask({ command: 'pause' });
    const paused = performance.now();
    latencies.push(paused - asked);
    // Mostly short, at times long enough for every watchdog of a second or two to bite.
    await delay(random.chance(3) ? 4000 : random.below(120));
    pausedMs += performance.now() - paused;
    await guest.ask({ command: 'resume' });
  }
  return { latencies: latencies.sort((a, b) => a - b), pausedMs };
}

test(
  'pauses at random moments: no clock goes back, no sum is wrong, the kernel notices nothing',
  options,
  async (t) => {
    t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
    const command = `${unpackDisk}
${loadFunctions}
start_load 3
clock-watch >/tmp/watched &
echo begin; read -r line; end_load; cat /tmp/watched; ${showLog}`;
    const disk = join(home, 'watch.img');
    await writePackageDisk(disk, [], [buildProgram('clock-watch', join(home, 'clock-watch'))]);
    const guest = startNamedLinux('paused', ['--cpus', '4', '--disk', disk, '--exec', command]);
    await guest.shows('begin');
    const start = performance.now();
    const { latencies, pausedMs } = await pauseOften(guest, new Random(seed, 0, 'pause'));
    const ranSeconds = (performance.now() - start - pausedMs) / 1000;
    t.diagnostic(
      `pausing took ${latencies[pauses >> 1]?.toFixed(0)} ms mostly, ${latencies.at(-1)?.toFixed(0)} at most`,
    );
    const ended = await guest.end('enough\n');
    const { output, complaints } = readAccount(ended.stdout.toString());
    assert.deepEqual([ended.status, complaints], [0, []]);
    const [, watched, rounds] = /watched ([0-9.]+) s on 4 processors, ([0-9]+) rounds/.exec(output) ?? [];
    assert.match(output, /^begin\nrounds [1-9]/);
    assert.ok(Number(rounds) > pauses, output);
    // The pauses are not in it; what the guest had to do before and after them is.
    assert.ok(Number(watched) < ranSeconds + pausedMs / 2000, `${watched} s of ${ranSeconds} s`);
    const counts = [...output.matchAll(/^(.* (?:backward|sleeps|sums)) ([0-9]+)$/gm)].map(([, what, count]) => [
      what,
      count,
    ]);
    assert.deepEqual(
      counts.filter(([, count]) => count !== '0'),
      [],
    );
    assert.equal(counts.length, 7);
  },
);

test('a paused guest takes no processor time, whatever its processors were at', options, async () => {
  const busy = 'for n in 1 2 3 4; do while :; do :; done & done; echo begin; sleep 1000';
  const guest = startNamedLinux('still', ['--cpus', '4', '--exec', busy]);
  await guest.shows('begin');
  await delay(1000);
  await guest.ask({ command: 'pause' });
  // V8's compilers finish what they have begun, and threads that have had nothing to do for 10 and 20 s collect their garbage, once.
  await delay(24_000);
  const before = guest.processorSeconds();
  await delay(10_000);
  const share = (guest.processorSeconds() - before) / 10;
  await guest.ask({ command: 'stop' });
  assert.equal((await guest.ended).status, 137);
  assert.ok(share < 0.01, `${(share * 100).toFixed(1)} %`);
});
