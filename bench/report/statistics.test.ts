import assert from 'node:assert/strict';
import { test } from 'node:test';
import { geometricMean, median, significant } from './statistics.ts';

test('the median of an odd, an even and an empty number of values', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 2, 4, 1]), 3);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test('the median orders numbers, not text, and leaves its input alone', () => {
  const values = [100, 9, 20];
  assert.equal(median(values), 20);
  assert.deepEqual(values, [100, 9, 20]);
});

test('the geometric mean of a ratio and its inverse is one', () => {
  assert.ok(Math.abs(geometricMean([4, 0.25]) - 1) < 1e-12);
  assert.ok(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
  assert.ok(Number.isNaN(geometricMean([])));
});

test('three digits that matter', () => {
  assert.deepEqual([0, 1234.5, 123.44, 12.345, 1.2345, 0.12345, 0.0012345, 9.999].map(significant), [
    '0',
    '1235',
    '123',
    '12.3',
    '1.23',
    '0.123',
    '0.0012',
    '10.00',
  ]);
});
