import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gain, Standing } from './standing.ts';

const second = 1e9;
const nothing = { idleNs: 0, freeNs: 0 };

function settle(standing: Standing, gained: Readonly<Record<string, number>>, parts: readonly number[], eager = true) {
  const gains = Object.entries(gained).map(
    ([key, gainedNs], n): Gain => ({ key, gainedNs, part: parts[n] as number, isEager: eager }),
  );
  return (spare = nothing) => {
    standing.settle(gains, spare, second);
    return Object.keys(gained).map((key) => Math.round(standing.lagNs(key)));
  };
}

test('who had more than its part of what all had is ahead, and another is behind by as much', () => {
  const standing = new Standing();
  const look = settle(standing, { a: 300, b: 100 }, [0.5, 0.5]);
  assert.deepEqual(look(), [-100, 100]);
  assert.deepEqual(look(), [-200, 200]);
});

test('who is gone is forgotten, and who is new begins with nothing', () => {
  const standing = new Standing();
  settle(standing, { a: 300, b: 100 }, [0.5, 0.5])();
  assert.deepEqual(settle(standing, { b: 100, c: 100 }, [0.5, 0.5])(), [100, 0]);
  assert.equal(standing.lagNs('a'), 0);
});

test('what one does not want is not kept for it for ever, and lets the other off', () => {
  const standing = new Standing();
  const look = settle(standing, { a: 0.2 * second, b: 0 }, [0.5, 0.5], false);
  for (let n = 0; n < 5; n++) look();
  // From then on a gets ahead by a tenth of a second each time, and is let off as much.
  for (let n = 0; n < 3; n++) assert.deepEqual(look(), [-0.3 * second, 0.5 * second]);
  assert.deepEqual(settle(standing, { a: 0, b: 0.2 * second }, [0.5, 0.5], false)(), [-0.2 * second, 0.4 * second]);
});

test('one that other programs keep from running is waited for', () => {
  const standing = new Standing();
  const look = settle(standing, { a: 0.2 * second, b: 0 }, [0.5, 0.5]);
  for (let n = 0; n < 20; n++) look();
  assert.deepEqual(look(), [-0.4 * second, 0.5 * second]);
});

test('those to whom nothing is due get nothing of what another leaves', () => {
  const standing = new Standing();
  const look = settle(standing, { a: 0, b: 2 * second }, [1, 0]);
  assert.deepEqual(look({ idleNs: 5, freeNs: 5 }), [second, -0.4 * second]);
});

test('time that nobody has used is for those who still want more', () => {
  const standing = new Standing();
  const look = settle(standing, { a: 100, b: 100, c: 200 }, [0.25, 0.25, 0.5]);
  assert.deepEqual(look({ idleNs: 40, freeNs: 40 }), [10, 10, 20]);
});
