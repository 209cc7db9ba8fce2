import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocateMadeRegions, MadeRegions } from './made-regions.ts';

function takeAll(made: MadeRegions): [number, boolean][] {
  const taken: [number, boolean][] = [];
  made.take((ramOffset, long) => taken.push([ramOffset, long]));
  return taken;
}

test('each reader takes what was told since it last looked, once', () => {
  const buffer = allocateMadeRegions();
  const writer = new MadeRegions(buffer);
  const [one, other] = [new MadeRegions(buffer), new MadeRegions(buffer)];
  writer.tell(0x1234, true);
  writer.tell(0xffff_fff0, false);
  const told = [
    [0x1234, true],
    [0xffff_fff0, false],
  ];
  assert.deepEqual(takeAll(one), told);
  assert.deepEqual(takeAll(one), []);
  writer.tell(5, true);
  assert.deepEqual(takeAll(one), [[5, true]]);
  assert.deepEqual(takeAll(other), [...told, [5, true]]);
  assert.deepEqual(takeAll(new MadeRegions(buffer)), []);
});

test('a reader that is far behind gets the latest', () => {
  const buffer = allocateMadeRegions();
  const writer = new MadeRegions(buffer);
  const reader = new MadeRegions(buffer);
  for (let n = 0; n < 10_000; n++) writer.tell(n, true);
  const taken = takeAll(reader).map(([ramOffset]) => ramOffset);
  assert.deepEqual([taken.length, taken[0], taken.at(-1)], [4096, 10_000 - 4096, 9999]);
});

test('the count may wrap around', () => {
  const buffer = allocateMadeRegions();
  new Int32Array(buffer)[0] = 0x7fff_ffff;
  const [writer, reader] = [new MadeRegions(buffer), new MadeRegions(buffer)];
  for (let n = 0; n < 3; n++) writer.tell(n, false);
  assert.deepEqual(
    takeAll(reader),
    [0, 1, 2].map((n) => [n, false]),
  );
});
