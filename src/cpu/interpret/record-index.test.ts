import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record } from './record.ts';
import { RecordIndex } from './record-index.ts';

const view = new DataView(new ArrayBuffer(4096));
const words = 1 << 20;

test('records are found where they were put, and visited in order, page by page', () => {
  const index = new RecordIndex(view, new Int32Array(words));
  const pages = Array.from({ length: 300 }, () => index.open());
  const expected = pages.map(() => new Map<number, number>());
  for (let n = 0; n < 4096; n++) {
    for (const [number, page] of pages.entries()) {
      const offset = (n * 1237 + number) % 4096;
      if ((n * number) % 3 !== 1) continue;
      index.add(page, offset, n * 1000 + number);
      expected[number]?.set(offset, n * 1000 + number);
    }
  }
  for (const [number, page] of pages.entries()) {
    const own = expected[number] as Map<number, number>;
    for (let offset = 0; offset < 4096; offset++) assert.equal(index.get(page, offset), own.get(offset) ?? 0);
    for (const [first, last] of [
      [0, 4095],
      [31, 32],
      [63, 64],
      [100, 100],
      [130, 1000],
      [4095, 4095],
    ] as const) {
      const seen: [number, number][] = [];
      index.visit(page, first, last, (offset, address) => seen.push([offset, address]));
      const wanted = [...own].filter(([offset]) => offset >= first && offset <= last).sort(([a], [b]) => a - b);
      assert.deepEqual(seen, wanted);
    }
  }
});

test('records are taken out, also while they are visited, and others come in their place', () => {
  const index = new RecordIndex(view, new Int32Array(words));
  const page = index.open();
  const other = index.open();
  index.add(other, 5, 32);
  for (let round = 1; round <= 50; round++) {
    for (let offset = 0; offset < 4096; offset += 1 + (round % 7)) index.add(page, offset, round * 10_000 + offset);
    const seen: number[] = [];
    index.visit(page, 0, 4095, (offset, address) => {
      assert.equal(address, round * 10_000 + offset);
      index.remove(page, offset);
      seen.push(offset);
    });
    assert.equal(seen.length, Math.ceil(4096 / (1 + (round % 7))));
    for (let chunk = 0; chunk < 64; chunk++) assert.ok(!index.beginsIn(page, chunk));
  }
  assert.equal(index.get(other, 5), 32);
});

test('a page that is closed leaves nothing behind for the next', () => {
  const index = new RecordIndex(view, new Int32Array(words));
  for (let n = 0; n < 1000; n++) {
    const page = index.open();
    index.visit(page, 0, 4095, () => assert.fail('there is none'));
    for (let offset = n % 3; offset < 4096; offset += 3) index.add(page, offset, 64);
    index.close(page);
  }
});

test('what is no instruction takes as many bytes as one may have', () => {
  view.setUint8(64 + record.length, 3);
  const index = new RecordIndex(view, new Int32Array(words));
  assert.deepEqual([index.lengthOf(64), index.lengthOf(96)], [3, 15]);
});

test('an index that has no room for a block any more says so before it has none at all', () => {
  const index = new RecordIndex(view, new Int32Array(1 << 15));
  let page = index.open();
  let records = 0;
  while (index.hasRoom) {
    page = index.open();
    // A block at its worst: each of its records lies in a chunk of its own, or makes one move on.
    for (let n = 0; n < 64; n++) index.add(page, n * 64, ++records);
  }
  assert.ok(records >= 64 * 8, `${records}`);
  const last: number[] = [];
  index.visit(page, 0, 4095, (_offset, address) => last.push(address));
  assert.deepEqual(
    last,
    Array.from({ length: 64 }, (_, n) => records - 63 + n),
  );
});
