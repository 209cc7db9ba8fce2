/** A Linux whose processors are all at work when the machine is reset, powered off or ended. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ended } from '../../../src/cli/testing/corbel-process.ts';
import { useVmHome } from '../../../src/host/node/vms/testing/vm-home.ts';
import { Random } from '../../oracle/random.ts';
import { loadFunctions } from './guest-load.ts';
import { type NamedLinux, startNamedLinux } from './named-linux.ts';

useVmHome();
/** CORBEL_GUEST_SEED repeats a run, as far as time allows. */
const seed = Number(process.env.CORBEL_GUEST_SEED ?? randomInt(2 ** 31));
const options = { timeout: 900_000 };
/** A machine that hangs never ends; one on a busy host takes its time. */
const boundMs = 60_000;
const busy = `${loadFunctions}start_load 6; sleep 1; echo busy-$((40+2))`;

async function within(what: string, ended: Promise<Ended>): Promise<Ended> {
  const end = await Promise.race([ended, delay(boundMs, undefined, { ref: false })]);
  assert.ok(end !== undefined, `${what}: it has not ended after ${boundMs / 1000} s`);
  return end;
}

const start = (name: string, more: readonly string[] = []): NamedLinux =>
  startNamedLinux(name, ['--cpus', '4', ...more]);

test('resets at random moments: the guest starts again each time, and a power-off ends it', options, async (t) => {
  t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
  const random = new Random(seed, 0, 'reset');
  const guest = start('reset');
  for (let n = 0; n < 3; n++) {
    guest.say(busy);
    await guest.shows('\nbusy-42');
    await delay(random.below(300));
    // Announced as a reboot that somebody asked for; then whichever processor it is resets the machine at once.
    const how = random.pick(['echo b >/proc/sysrq-trigger', 'reboot -f'] as const);
    guest.say(`echo B >/dev/ttyS1; taskset ${1 << random.below(4)} sh -c '${how}'`);
    await guest.shows('Linux version');
  }
  guest.say(busy);
  await guest.shows('\nbusy-42');
  await delay(random.below(300));
  guest.say(`taskset ${1 << random.below(4)} poweroff -f`);
  assert.equal((await within('power-off', guest.ended)).status, 0);
});

test('a panic ends it, whichever processor comes to it', options, async (t) => {
  t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
  const random = new Random(seed, 1, 'panic');
  const guest = start('panic');
  guest.say(busy);
  await guest.shows('\nbusy-42');
  guest.say(`taskset ${2 << random.below(3)} sh -c 'echo c >/proc/sysrq-trigger'`);
  await guest.shows('Trigger a crash');
  assert.equal((await within('panic', guest.ended)).status, 75);
});

test('a triple fault of any processor ends it', options, async (t) => {
  t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
  const processor = 1 + new Random(seed, 2, 'triple fault').below(3);
  // Linux's way to reset a machine where nothing else helps.
  const guest = start('triple', ['--append', 'reboot=t']);
  guest.say(busy);
  await guest.shows('\nbusy-42');
  guest.say(`taskset ${1 << processor} sh -c 'echo b >/proc/sysrq-trigger'`);
  await guest.shows('sysrq: Resetting');
  const { status, stderr } = await within('triple fault', guest.ended);
  assert.equal(status, 75);
  assert.match(stderr, new RegExp(`of processor ${processor} .*triple fault`));
});

test('ended from outside at any moment of its start, and while it is paused', options, async (t) => {
  t.diagnostic(`CORBEL_GUEST_SEED=${seed}`);
  const random = new Random(seed, 3, 'end');
  for (let n = 0; n < 4; n++) {
    const guest = start(`ended-${n}`);
    await guest.shows('Linux version');
    await delay(random.below(8000));
    if (random.chance(50)) await guest.ask({ command: 'pause' });
    await delay(random.below(50));
    await guest.ask({ command: 'stop' });
    assert.equal((await within(`stop ${n}`, guest.ended)).status, 137);
  }
});
