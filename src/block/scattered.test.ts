import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScatteredBytes } from '../support/scattered-bytes.ts';
import { kindOf, value } from '../support/testing/expect.ts';
import { Random } from '../support/testing/seeded-random.ts';
import type { Disk } from './disk.ts';
import { imageFormats } from './formats.ts';
import { GuardedRawDisk } from './guarded-raw-disk.ts';
import { createQcow2 } from './qcow2/create.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { openRaw } from './raw-disk.ts';
import { readInto, writeFrom } from './scattered.ts';
import { MemoryDisk } from './testing/memory-disk.ts';
import { MemoryFile } from './testing/memory-file.ts';
import { noCodecs } from './testing/no-codecs.ts';

const diskBytes = 1 << 20;
const memoryBytes = 1 << 18;

/** Bytes in places that do not overlap, in any order, of odd lengths. */
function scatter(random: Random, length: number): ScatteredBytes {
  const memory = new Uint8Array(new SharedArrayBuffer(memoryBytes));
  random.fill(memory);
  const room = memoryBytes / 32;
  const slots = Array.from({ length: 32 }, (_, n) => n * room).sort(() => random.below(3) - 1);
  const places: number[] = [];
  for (let rest = length; rest > 0; ) {
    const bytes = Math.min(rest, 1 + random.below(room));
    places.push(slots.pop() as number, bytes);
    rest -= bytes;
  }
  return new ScatteredBytes(memory, places);
}

/** What is not among the places. */
function beside(bytes: ScatteredBytes): Uint8Array {
  const rest = bytes.memory.slice();
  bytes.each((offset, length) => rest.fill(0, offset, offset + length));
  return rest;
}

async function qcow2(options: { clusterBytes?: number; extendedL2?: boolean }, backing?: Disk): Promise<Disk> {
  const file = new MemoryFile('image');
  const image = value(await createQcow2(file, noCodecs, { sizeBytes: diskBytes, ...options }));
  image.backing = backing;
  return new Qcow2Disk(image);
}

function filled(): MemoryDisk {
  const disk = new MemoryDisk(diskBytes / 2);
  new Random(1).fill(disk.bytes);
  return disk;
}

const disks: readonly [string, () => Promise<Disk>][] = [
  ['one that wants them in one piece', async () => new MemoryDisk(diskBytes)],
  ['raw', async () => value(await openRaw(new MemoryFile('raw', new Uint8Array(diskBytes)), false))],
  ['qcow2', () => qcow2({})],
  ['qcow2 over another disk', () => qcow2({ clusterBytes: 4096 }, filled())],
  ['qcow2 with parts of clusters', () => qcow2({ extendedL2: true, clusterBytes: 16384 }, filled())],
];

for (const [name, open] of disks) {
  test(`${name}: scattered or not, bytes are the same`, async () => {
    const random = new Random(7);
    const [one, other] = [await open(), await open()];
    for (let round = 0; round < 150; round++) {
      const bytes = scatter(random, 1 + random.below(40_000));
      const { length } = bytes;
      const offset = random.below(diskBytes - length);
      const outside = beside(bytes);
      if (random.below(2) === 0) {
        value(await writeFrom(one, offset, bytes));
        value(await other.write(offset, bytes.copy()));
      } else {
        value(await readInto(one, offset, bytes));
        const expected = new Uint8Array(length);
        value(await other.read(offset, expected));
        assert.deepEqual(bytes.copy(), expected);
      }
      assert.ok(Buffer.from(outside).equals(beside(bytes)));
    }
    const [first, second] = [new Uint8Array(diskBytes), new Uint8Array(diskBytes)];
    value(await one.read(0, first));
    value(await other.read(0, second));
    assert.ok(Buffer.from(first).equals(second));
  });
}

test('a failed read leaves the memory as it was, and buffers are of one request at a time', async () => {
  const disk = new MemoryDisk(diskBytes);
  new Random(2).fill(disk.bytes);
  const random = new Random(3);
  const refused = scatter(random, 30_000);
  const before = refused.memory.slice();
  disk.failures.push('io');
  assert.equal(kindOf(await readInto(disk, 0, refused)), 'io');
  assert.deepEqual(refused.memory.slice(), before);
  const requests = Array.from({ length: 20 }, (_, n) => ({ offset: n * 512, bytes: scatter(random, 20_000 + n) }));
  await Promise.all(requests.map(({ offset, bytes }) => readInto(disk, offset, bytes)));
  for (const { offset, bytes } of requests) {
    assert.ok(Buffer.from(bytes.copy()).equals(disk.bytes.subarray(offset, offset + bytes.length)));
  }
});

test('a guest cannot change what is written to a guarded disk after it was looked at', async () => {
  const file = new MemoryFile('raw', new Uint8Array(4096));
  const disk = new GuardedRawDisk(value(await openRaw(file, false)), imageFormats([]));
  const memory = new Uint8Array(new SharedArrayBuffer(2048));
  const magic = Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3);
  for (const places of [
    [0, 512],
    [0, 4, 1024, 508],
  ]) {
    memory.fill(7);
    const writing = writeFrom(disk, 0, new ScatteredBytes(memory, places));
    memory.set(magic);
    memory.set(magic.subarray(4), 1024);
    value(await writing);
    assert.ok(file.bytes().every((byte, at) => byte === (at < 512 ? 7 : 0)));
    assert.equal(kindOf(await writeFrom(disk, 0, new ScatteredBytes(memory, places))), 'unsupported');
  }
});
