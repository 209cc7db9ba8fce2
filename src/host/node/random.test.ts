import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillRandom, randomBytes, randomInt, randomWords } from './random.ts';

test('all of what is to be filled is filled, and differs each time', () => {
  const [one, other] = [new Uint8Array(100_000), new Uint8Array(100_000)];
  fillRandom(one.subarray(1));
  fillRandom(other);
  assert.equal(one[0], 0);
  assert.notDeepEqual(one, other);
  for (let at = 0; at < one.length; at += 1000) assert.ok(other.subarray(at, at + 1000).some((byte) => byte !== 0));
  fillRandom(one.subarray(0, 0));
  assert.equal(one[0], 0);
});

test('as many bytes as were asked for', () => {
  assert.equal(randomBytes(0).length, 0);
  assert.equal(randomBytes(7).length, 7);
});

test('numbers are below their bound, and all come', () => {
  const seen = new Set(Array.from({ length: 1000 }, () => randomInt(3)));
  assert.deepEqual([...seen].sort(), [0, 1, 2]);
  assert.equal(randomInt(1), 0);
  for (let n = 0; n < 100; n++) assert.ok(randomInt(2 ** 32) < 2 ** 32);
});

test('words that are taken one by one do not come again', () => {
  const next = randomWords();
  const seen = new Set(Array.from({ length: 1000 }, () => next()));
  assert.equal(seen.size, 1000);
  assert.ok([...seen].some((word) => word >= 1n << 63n));
});
