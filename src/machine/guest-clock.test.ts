import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateGuestClock, GuestClock } from './guest-clock.ts';

function started(accel: 'auto' | 'verify') {
  const host = { ns: 1_000_000 };
  const buffer = allocateGuestClock();
  const clock = new GuestClock(buffer, () => host.ns, accel);
  clock.begin();
  return { host, clock, other: new GuestClock(buffer, () => host.ns, accel) };
}

test("guest time is the host's, without pauses, on every processor", () => {
  const { host, clock, other } = started('auto');
  host.ns += 500;
  clock.slept(200);
  clock.stop();
  host.ns += 10_000;
  assert.deepEqual([clock.nowNs(), other.nowNs()], [500, 500]);
  clock.start();
  host.ns += 20;
  assert.deepEqual([clock.nowNs(), other.nowNs()], [520, 520]);
  assert.deepEqual([clock.guestSpan(320), clock.hostSpan(320)], [320, 320]);
});

test('in lockstep it goes slower while the guest runs, and as usual while it sleeps', () => {
  const { host, clock, other } = started('verify');
  const before = clock.nowNs();
  host.ns += clock.hostSpan(1000);
  assert.equal(clock.nowNs() - before, 1000);
  assert.ok(clock.hostSpan(1000) > 10_000);
  assert.equal(clock.guestSpan(clock.hostSpan(1000)), 1000);
  const asleep = clock.nowNs();
  host.ns += 64_000;
  clock.slept(64_000);
  assert.deepEqual([clock.nowNs() - asleep, other.nowNs() - asleep], [64_000, 64_000]);
  clock.stop();
  host.ns += 1_000_000;
  clock.start();
  assert.equal(clock.nowNs() - asleep, 64_000);
});
