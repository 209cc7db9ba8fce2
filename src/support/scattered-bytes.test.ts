import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyBytes, ScatteredBytes, storeBytes } from './scattered-bytes.ts';

const memory = (): Uint8Array => Uint8Array.from({ length: 256 }, (_, n) => n);
/** 10 11 12, 100 to 139, 5 */
const places = [10, 3, 100, 40, 5, 1];
const all = [10, 11, 12, ...Array.from({ length: 40 }, (_, n) => 100 + n), 5];

function placesOf(bytes: ScatteredBytes): number[] {
  const found: number[] = [];
  bytes.each((offset, length) => found.push(offset, length));
  return found;
}

test('bytes are read in the order of their places', () => {
  const bytes = new ScatteredBytes(memory(), places);
  assert.equal(bytes.length, 44);
  assert.deepEqual([...bytes.copy()], all);
  assert.deepEqual(
    bytes.views().flatMap(({ byteOffset, length }) => [byteOffset, length]),
    places,
  );
  const into = new Uint8Array(50).fill(0xee);
  assert.equal(bytes.read(2, into), 42);
  assert.deepEqual([...into.subarray(0, 43)], [...all.slice(2), 0xee]);
});

test('every part is what the same part of an array would be', () => {
  const bytes = new ScatteredBytes(memory(), places);
  for (let start = 0; start <= 45; start++) {
    for (let end = start; end <= 46; end++) {
      const part = bytes.subarray(start, end);
      assert.deepEqual([...part.copy()], all.slice(start, end), `${start} to ${end}`);
      assert.equal(part.length, all.slice(start, end).length);
      assert.ok(placesOf(part).every((length, index) => index % 2 === 0 || length > 0));
    }
  }
  assert.deepEqual([...bytes.subarray(1, 43).subarray(1, 41).subarray(1, 3).copy()], [100 + 0, 101]);
  assert.deepEqual(placesOf(bytes.subarray(2, 44)), [12, 1, 100, 40, 5, 1]);
});

test('what is written goes to the places and nowhere else', () => {
  const to = memory();
  const bytes = new ScatteredBytes(to, places);
  const from = Uint8Array.from({ length: 60 }, (_, n) => 200 + (n % 50));
  assert.equal(bytes.write(1, from), 43);
  assert.deepEqual([...bytes.copy()], [10, ...from.subarray(0, 43)]);
  const expected = memory();
  expected.set([200, 201], 11);
  expected.set(from.subarray(2, 42), 100);
  expected[5] = from[42] as number;
  assert.deepEqual(to, expected);
  bytes.fill(0, 2, 5);
  assert.deepEqual([...to.subarray(10, 13), ...to.subarray(100, 103)], [10, 200, 0, 0, 0, from[4]]);
});

test('no bytes are no bytes', () => {
  const none = new ScatteredBytes(memory(), []);
  assert.deepEqual(
    [none.length, none.copy().length, none.subarray(0).length, none.subarray(3, 9).length],
    [0, 0, 0, 0],
  );
  assert.equal(none.write(0, Uint8Array.of(1)), 0);
  assert.deepEqual(none.views(), []);
});

test('bytes in one piece and in many are copied alike', () => {
  const scattered = new ScatteredBytes(memory(), [3, 2, 9, 2]);
  const into = new Uint8Array(6);
  copyBytes(scattered, into, 1);
  assert.deepEqual([...into], [0, 3, 4, 9, 10, 0]);
  copyBytes(Uint8Array.of(7), into);
  assert.deepEqual([...into], [7, 3, 4, 9, 10, 0]);
  storeBytes(Uint8Array.of(1, 2, 3), scattered);
  assert.deepEqual([...scattered.copy()], [1, 2, 3, 10]);
  storeBytes(Uint8Array.of(1), into);
  assert.equal(into[0], 1);
});
