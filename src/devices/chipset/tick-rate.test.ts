import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsOfTick, ticksAt } from './tick-rate.ts';

test('whole seconds are whole ticks, without drift after a hundred days', () => {
  const hundredDays = 100 * 86_400;
  for (const hz of [32_768, 1_193_182, 3_579_545]) {
    assert.equal(ticksAt(1_000_000_000, hz), hz);
    assert.equal(ticksAt(hundredDays * 1_000_000_000, hz), hundredDays * hz);
    assert.equal(ticksAt(hundredDays * 1_000_000_000 - 1, hz), hundredDays * hz - 1);
  }
});

test('a tick begins at the first nanosecond that counts it', () => {
  for (const hz of [32_768, 1_193_182, 3_579_545]) {
    for (let tick = 1; tick < 3 * hz; tick += 9_973) {
      const ns = nsOfTick(tick, hz);
      assert.equal(ticksAt(ns, hz), tick);
      assert.equal(ticksAt(ns - 1, hz), tick - 1);
    }
  }
});
