/** Trials that are functions, in guests that are processes without anything in them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { Ledger } from '../report/report.ts';
import { DebianGuest } from '../runners/debian-guest.ts';
import type { Trial } from '../trials/trial.ts';
import { TrialRun } from './trials.ts';

const sleeper = () => new DebianGuest({ program: 'sleep', args: ['1000'] }, undefined);
const seats = [
  { runner: 'corbel', guest: sleeper(), single: false },
  { runner: 'qemu-tcg', guest: sleeper(), single: false },
  { runner: 'corbel', guest: sleeper(), single: true },
] as const;
after(async () => {
  for (const { guest } of seats) await guest.kill();
});

const measure = { name: 'work', title: 'work', unit: 's', better: 'less' } as const;
const quiet = (): void => {};

test('rounds alternate between the guests that a trial is for, each set up once', async () => {
  const ledger = new Ledger();
  const order: string[] = [];
  const nameOf = (guest: DebianGuest): string => `${seats.findIndex((seat) => seat.guest === guest)}`;
  const trial = (single: boolean): Trial => ({
    ...{ measure, single },
    setUp: async (guest) => ok(order.push(`set up ${nameOf(guest)}`)),
    sample: async (guest) => ok(order.push(nameOf(guest))),
  });
  const run = new TrialRun(ledger, quiet);
  await run.run(trial(false), seats, 2);
  assert.deepEqual(order, ['set up 0', '0', 'set up 1', '1', '0', '1']);
  await run.run(trial(true), seats, 1);
  assert.deepEqual(order.slice(6), ['set up 2', '2']);
  assert.equal(ledger.samples('work', 'corbel').length, 3);
  assert.deepEqual(ledger.gaps, []);
});

test('a failure is a reason and not a number, and ends this trial in this guest', async () => {
  const ledger = new Ledger();
  const outcomes: Result<number>[] = [ok(5), ok(Number.NaN), fail('tool', 'broken'), ok(6), ok(7)];
  const trial: Trial = { measure, sample: async () => outcomes.shift() ?? ok(8) };
  await new TrialRun(ledger, quiet).run(trial, seats, 3);
  assert.deepEqual(ledger.samples('work', 'corbel'), [5]);
  assert.deepEqual(ledger.samples('work', 'qemu-tcg'), []);
  assert.deepEqual(ledger.gaps, [
    { what: 'work', runner: 'qemu-tcg', reason: 'NaN is no measurement' },
    { what: 'work from round 2 on', runner: 'corbel', reason: 'broken' },
  ]);
});

test('a guest that has died takes no further trials, and is complained of once', async () => {
  const ledger = new Ledger();
  const guest = new DebianGuest({ program: 'sh', args: ['-c', 'echo "no memory" >&2; exit 75'] }, undefined);
  await guest.logIn();
  const dead = [{ runner: 'corbel', guest, single: false }];
  const run = new TrialRun(ledger, quiet);
  const trial: Trial = { measure, sample: (machine) => machine.time(':', 'true', 1000) };
  await run.run(trial, dead, 2);
  await run.run(trial, dead, 2);
  assert.equal(ledger.gaps.length, 1);
  assert.equal(ledger.gaps[0]?.what, 'everything from work on');
  assert.match(ledger.gaps[0]?.reason ?? '', /status 75.*no memory/);
});

test('what could not be set up is not tried', async () => {
  const ledger = new Ledger();
  const trial: Trial = { measure, setUp: async () => fail('tool', 'no disk'), sample: async () => ok(1) };
  await new TrialRun(ledger, quiet).run(trial, seats.slice(0, 1), 2);
  assert.deepEqual(ledger.series, []);
  assert.deepEqual(ledger.gaps, [{ what: 'work', runner: 'corbel', reason: 'no disk' }]);
});
