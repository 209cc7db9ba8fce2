import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordHeat } from '../interpret/record.ts';
import { TranslationPace } from './translation-pace.ts';

const usual = recordHeat.overflows;

function create(taken: boolean) {
  const host = { taken, ms: 0 };
  const pace = new TranslationPace(
    () => host.taken,
    () => host.ms,
  );
  /** Slices of a millisecond; the rounds after the last one. */
  const run = (slices: number, instructions = 0): number => {
    let rounds = 0;
    for (let n = 0; n < slices; n++) {
      host.ms++;
      pace.note(instructions);
      rounds = pace.rounds();
    }
    return rounds;
  };
  return { host, run };
}

test('with a core to spare, a first program is translated soon, and much code at the usual pace', () => {
  const { run } = create(false);
  assert.ok(run(200, 20) < usual / 2);
  assert.equal(run(5000, 1000), usual);
});

test('where processors take all cores, a first program is translated about as ever, and much code later', () => {
  const { run } = create(true);
  assert.ok(run(200, 20) < usual * 1.5);
  assert.ok(run(5000, 20) > 240);
});

test('the pace is the usual one again soon after a core is free, and a quick one after a rest', () => {
  const { host, run } = create(true);
  run(5000, 20);
  host.taken = false;
  assert.ok(run(300, 20) < usual + 5);
  host.taken = true;
  assert.ok(run(300, 20) > 240);
  host.taken = false;
  run(300, 20);
  host.ms += 60_000;
  assert.ok(run(1) < usual / 2);
});

test('counters of a byte can get there', () => {
  const { run } = create(true);
  assert.ok(run(100_000, 1e6) <= 255);
});
