import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, value } from '../support/testing/expect.ts';
import { openRaw } from './raw-disk.ts';
import { MemoryFile } from './testing/memory-file.ts';
import { isZero } from './zeroes.ts';

test('a raw disk is the bytes of its file, up to a whole sector', async () => {
  const file = new MemoryFile('raw', Uint8Array.of(1, 2, 3));
  const disk = value(await openRaw(file, false));
  assert.equal(disk.sizeBytes, 512);
  const sector = new Uint8Array(512).fill(9);
  value(await disk.read(0, sector));
  assert.deepEqual([...sector.subarray(0, 5)], [1, 2, 3, 0, 0]);
  value(await disk.write(510, Uint8Array.of(7, 8)));
  assert.equal(value(await file.size()), 512);
  assert.equal(kindOf(await disk.write(511, Uint8Array.of(7, 8))), 'range');
  assert.equal(kindOf(await disk.read(-1, new Uint8Array(1))), 'range');
  assert.equal(kindOf(await disk.read(513, new Uint8Array(0))), 'range');
  assert.equal(kindOf(await disk.discard(0, Number.MAX_SAFE_INTEGER)), 'range');
});

test('zeroes, holes and sizes', async () => {
  const file = new MemoryFile('raw', new Uint8Array(3 << 20).fill(5));
  const disk = value(await openRaw(file, false));
  value(await disk.writeZeroes(100, 2 << 20, false));
  value(await disk.writeZeroes(3_000_000, 1000, true));
  value(await disk.discard(0, 10));
  const bytes = new Uint8Array(3 << 20);
  value(await disk.read(0, bytes));
  assert.ok(isZero(bytes.subarray(100, 100 + (2 << 20))));
  assert.ok(isZero(bytes.subarray(3_000_000, 3_001_000)));
  assert.deepEqual([bytes[99], bytes[100 + (2 << 20)], bytes[2_999_999], bytes[3_001_000]], [5, 5, 5, 5]);
  value(await disk.resize(4 << 20));
  assert.equal(disk.sizeBytes, 4 << 20);
  assert.deepEqual(value(await disk.extent(3 << 20, 1 << 20)), { kind: 'data', length: 1 << 20 });
  value(await disk.close());
});

test('a read-only disk is not changed', async () => {
  const file = new MemoryFile('raw', new Uint8Array(1024).fill(5));
  const disk = value(await openRaw(file, true));
  assert.equal(disk.readOnly, true);
  for (const refused of [
    disk.write(0, new Uint8Array(512)),
    disk.discard(0, 512),
    disk.writeZeroes(0, 512, true),
    disk.resize(2048),
  ]) {
    assert.equal(kindOf(await refused), 'read-only');
  }
  assert.ok(file.bytes().every((byte) => byte === 5));
});

test('zeroes are found at every alignment', () => {
  const bytes = new Uint8Array(200);
  for (let from = 0; from < 12; from++) {
    for (let length = 0; length < 90; length++) {
      assert.ok(isZero(bytes.subarray(from, from + length)));
      for (const at of [from, from + (length >> 1), from + length - 1]) {
        if (length === 0) continue;
        bytes[at] = 0x80;
        assert.ok(!isZero(bytes.subarray(from, from + length)), `${from} ${length} ${at}`);
        bytes[at] = 0;
      }
      bytes[from + length] = 1;
      assert.ok(isZero(bytes.subarray(from, from + length)));
      bytes[from + length] = 0;
    }
  }
});
