import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockedForNs } from './block.ts';

test('a block lasts from its beginning to its end', () => {
  const block = { fromNs: 100, untilNs: 130, everyNs: 0, endNs: 1000 };
  assert.deepEqual(
    [99, 100, 129, 130, 150, 200].map((nowNs) => blockedForNs(nowNs, block)),
    [0, 30, 1, 0, 0, 0],
  );
});

test('one that comes again does so until nothing is said any more', () => {
  const block = { fromNs: 100, untilNs: 130, everyNs: 50, endNs: 210 };
  assert.deepEqual(
    [50, 99, 100, 130, 149, 150, 179, 180, 200, 205, 210, 260].map((nowNs) => blockedForNs(nowNs, block)),
    [0, 0, 30, 0, 0, 30, 1, 0, 10, 5, 0, 0],
  );
});
