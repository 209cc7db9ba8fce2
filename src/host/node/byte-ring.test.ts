import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteRing } from './byte-ring.ts';

function ring(capacity: number): ByteRing {
  return new ByteRing(new SharedArrayBuffer(ByteRing.size(capacity)), 0, capacity);
}

test('bytes come out in order, over the end of the memory and over the counters', () => {
  const queue = ring(16);
  let written = 0;
  let read = 0;
  for (let round = 0; round < 2000; round++) {
    const piece = Uint8Array.from({ length: round % 13 }, () => written++ & 0xff);
    assert.equal(queue.write(piece), piece.length);
    for (const byte of queue.read(round % 2 === 0 ? 5 : 100)) assert.equal(byte, read++ & 0xff);
    while (queue.length > 3) assert.equal(queue.readByte(), read++ & 0xff);
  }
});

test('what does not fit is left to the writer', () => {
  const queue = ring(8);
  assert.equal(queue.write(new Uint8Array(6)), 6);
  assert.equal(queue.write(new Uint8Array(6)), 2);
  assert.equal(queue.write(new Uint8Array(6)), 0);
  assert.equal(queue.length, 8);
  assert.equal(queue.read(100).length, 8);
  assert.equal(queue.readByte(), -1);
  assert.equal(queue.read(100).length, 0);
});

test('two openings of the same memory are the same queue', () => {
  const memory = new SharedArrayBuffer(ByteRing.size(8));
  const writer = new ByteRing(memory, 0, 8);
  const reader = new ByteRing(memory, 0, 8);
  writer.write(Uint8Array.of(1, 2, 3));
  assert.deepEqual([...reader.read(2)], [1, 2]);
  assert.equal(reader.readByte(), 3);
});
