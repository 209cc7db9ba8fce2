import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OffsetNumbers } from './offset-numbers.ts';

test('numbers are found where they were put, and visited in order', () => {
  const numbers = new OffsetNumbers();
  const expected = new Map<number, number>();
  for (let n = 0; n < 4096; n++) {
    const offset = (n * 1237) % 4096;
    if (n % 3 === 0) {
      numbers.set(offset, n + 1);
      expected.set(offset, n + 1);
    }
  }
  for (let offset = 0; offset < 4096; offset++) assert.equal(numbers.get(offset), expected.get(offset) ?? 0);
  for (const [first, last] of [
    [0, 4095],
    [63, 64],
    [100, 100],
    [130, 1000],
    [4095, 4095],
  ] as const) {
    const seen: [number, number][] = [];
    numbers.visit(first, last, (offset, number) => seen.push([offset, number]));
    const wanted = [...expected].filter(([offset]) => offset >= first && offset <= last).sort(([a], [b]) => a - b);
    assert.deepEqual(seen, wanted);
  }
});

test('a number can be taken back', () => {
  const numbers = new OffsetNumbers();
  numbers.set(4095, 65_535);
  numbers.set(4095, 0);
  assert.equal(numbers.get(4095), 0);
  numbers.visit(0, 4095, () => assert.fail('there is none'));
});
