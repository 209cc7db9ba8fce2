/** Valid images with something changed in their tables: whatever that does, it is a failure or a success. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk } from '../../src/block/disk.ts';
import type { DiskFailure } from '../../src/block/disk-failure.ts';
import type { FormatRequest } from '../../src/block/formats.ts';
import { checkQcow2 } from '../../src/block/qcow2/check/check.ts';
import { createQcow2, type Qcow2CreateOptions } from '../../src/block/qcow2/create.ts';
import { Qcow2Disk } from '../../src/block/qcow2/qcow2-disk.ts';
import { openQcow2 } from '../../src/block/qcow2/qcow2-format.ts';
import { applySnapshot, deleteSnapshot, takeSnapshot } from '../../src/block/qcow2/snapshot/snapshots.ts';
import { writeCompressed } from '../../src/block/qcow2/write-compressed.ts';
import { MemoryFile } from '../../src/block/testing/memory-file.ts';
import { nodeCodecs } from '../../src/host/node/disk/codecs.ts';
import { qcow2Header } from '../../src/spec/qcow2.ts';
import { fail, type Result } from '../../src/support/result.ts';
import { value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';

const sizeBytes = 2 ** 21;
/** What a request of this test asks for at most. */
const mostBytes = 100_000;

const request: FormatRequest = {
  readOnly: false,
  codecs: nodeCodecs,
  files: { open: async () => fail('not-found', 'there is no other file.') },
  openBacking: async () => fail('not-found', 'there is no other file.'),
};

const kinds: readonly Omit<Qcow2CreateOptions, 'sizeBytes'>[] = [
  { clusterBytes: 512 },
  { clusterBytes: 4096, version: 2 },
  { clusterBytes: 4096, refcountBits: 2 },
  { clusterBytes: 65_536, compression: 'zstd' },
  { clusterBytes: 1024, refcountBits: 64 },
  { clusterBytes: 16_384, extendedL2: true },
];

/** Data, zeroes, compressed clusters, two snapshots. */
async function validImage(options: Omit<Qcow2CreateOptions, 'sizeBytes'>): Promise<Uint8Array> {
  const file = new MemoryFile('image');
  const disk = new Qcow2Disk(value(await createQcow2(file, nodeCodecs, { ...options, sizeBytes })));
  const { clusterBytes } = disk.image.geometry;
  // Compressed clusters that share one have its count; two bits leave none for snapshots then.
  const snapshots = options.refcountBits === 2 ? 0 : 2;
  for (let turn = 0; turn <= snapshots; turn++) {
    value(await disk.write(turn * 50_000, new Uint8Array(60_000).fill(turn + 1)));
    value(await disk.writeZeroes(turn * 50_000 + 20_000, 20_000, turn === 0));
    for (let cluster = 0; cluster < 3; cluster++) {
      const at = 2 ** 20 + (turn * 3 + cluster) * clusterBytes;
      value(await writeCompressed(disk, at, new Uint8Array(clusterBytes).fill(cluster + 7)));
    }
    if (turn < snapshots) value(await takeSnapshot(disk.image, `turn ${turn}`, 0));
  }
  value(await disk.close());
  return file.bytes();
}

/** Places worth changing: the header's fields, and whatever tables it leads to. */
function interestingPlaces(bytes: Uint8Array): { readonly offset: number; readonly length: number }[] {
  const view = new DataView(bytes.buffer);
  const at = (offset: number): number => Number(view.getBigUint64(offset) & 0x00ff_ffff_ffff_fe00n);
  const clusterBytes = 2 ** view.getUint32(qcow2Header.clusterBits);
  const [l1, refcounts] = [at(qcow2Header.l1TableOffset), at(qcow2Header.refcountTableOffset)];
  const places = [
    { offset: 0, length: qcow2Header.fullBytes },
    { offset: 0, length: qcow2Header.version2Bytes },
    { offset: 0, length: Math.min(1024, clusterBytes) },
    { offset: l1, length: view.getUint32(qcow2Header.l1Size) * 8 },
    { offset: refcounts, length: 64 },
    { offset: at(qcow2Header.snapshotsOffset), length: 200 },
    { offset: at(at(qcow2Header.snapshotsOffset)), length: 64 },
  ];
  for (const table of [l1, refcounts]) {
    for (let entry = 0; entry < 4; entry++)
      places.push({ offset: at(table + entry * 8), length: Math.min(512, clusterBytes) });
  }
  return places.filter(({ offset, length }) => offset + length <= bytes.length && (offset > 0 || length > 64));
}

function mutate(bytes: Uint8Array, random: Random): void {
  const view = new DataView(bytes.buffer);
  const places = interestingPlaces(bytes);
  for (let count = 1 + random.below(3); count > 0; count--) {
    const place = random.pick(places);
    const offset = place.offset + Math.floor(random.below(place.length) / 8) * 8;
    if (offset + 8 > bytes.length) continue;
    const clusterBytes = 2 ** view.getUint32(qcow2Header.clusterBits) % 2 ** 22 || 512;
    switch (random.below(7)) {
      case 0:
        view.setUint8(offset + random.below(8), random.below(256));
        break;
      case 1:
        view.setUint8(offset + random.below(8), 1 << random.below(8));
        break;
      case 2:
        view.setUint32(
          offset + random.below(2) * 4,
          random.pick([0, 1, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000] as const),
        );
        break;
      case 3:
        view.setBigUint64(offset, random.u64());
        break;
      case 4:
        // A cluster of the file, or just behind it.
        view.setBigUint64(offset, BigInt(random.below(bytes.length / 512 + 20) * 512) | (random.u64() & (3n << 62n)));
        break;
      case 5:
        view.setBigUint64(offset, BigInt(random.below(bytes.length / clusterBytes + 2) * clusterBytes) | (1n << 63n));
        break;
      default:
        view.setBigUint64(offset, view.getBigUint64(offset) ^ (1n << BigInt(random.below(64))));
    }
  }
}

/** Everything that can be done to an image. Results do not matter, only that there are some. */
async function exercise(bytes: Uint8Array, random: Random): Promise<void> {
  const reader = await openQcow2(new MemoryFile('image', bytes, true), { ...request, readOnly: true });
  if (reader.ok) {
    await readHereAndThere(reader.value, random);
    judge(await reader.value.close());
  }
  const writer = await openQcow2(new MemoryFile('image', bytes), request);
  judge(writer);
  if (writer.ok) await change(writer.value, random);
  const file = new MemoryFile('image', bytes);
  judge(await checkQcow2(file, { repair: 'none' }));
  const repaired = await checkQcow2(file, { repair: random.pick(['leaks', 'refcounts', 'all'] as const) });
  judge(repaired);
  const again = await openQcow2(file, request);
  judge(again);
  if (again.ok) await change(again.value, random);
}

function judge(result: Result<unknown, DiskFailure>): void {
  if (!result.ok) assert.match(result.error.message, /^[^\n]+\.$/);
}

function range(disk: Disk, random: Random): { offset: number; length: number } {
  const length = Math.min(disk.sizeBytes, 1 + random.below(mostBytes));
  const reach = Math.min(disk.sizeBytes - length, random.chance(80) ? sizeBytes : Number.MAX_SAFE_INTEGER);
  return { offset: Math.floor((random.u32() / 2 ** 32) * reach), length };
}

async function readHereAndThere(disk: Qcow2Disk, random: Random): Promise<void> {
  for (let count = 0; count < 20; count++) {
    const { offset, length } = range(disk, random);
    judge(await disk.read(offset, new Uint8Array(length)));
    const extent = await disk.extent(offset, length);
    judge(extent);
    // A disk may have been made one without bytes.
    const right = (found: number): boolean => (length === 0 ? found === 0 : found > 0 && found <= length);
    assert.ok(!extent.ok || right(extent.value.length));
  }
}

async function change(disk: Qcow2Disk, random: Random): Promise<void> {
  for (let count = 0; count < 12; count++) {
    const { offset, length } = range(disk, random);
    judge(await disk.write(offset, new Uint8Array(length)));
    if (random.chance(30)) judge(await disk.discard(offset, length));
    if (random.chance(30)) judge(await disk.writeZeroes(offset, length, random.chance(50)));
    if (random.chance(20)) judge(await disk.flush());
  }
  if (random.chance(40)) judge(await takeSnapshot(disk.image, 'new', 0));
  if (random.chance(40)) judge(await applySnapshot(disk.image, 'turn 0'));
  if (random.chance(40)) judge(await deleteSnapshot(disk.image, 'turn 0'));
  if (random.chance(40)) judge(await disk.resize(512 * random.below(10_000)));
  await readHereAndThere(disk, random);
  judge(await disk.close());
}

export function defineFuzzLane(seed: number, images: number): void {
  kinds.forEach((options, kind) => {
    test(`${images} damaged images: ${JSON.stringify(options)}`, { timeout: images * 1000 + 60_000 }, async (t) => {
      t.diagnostic(`CORBEL_DISK_SEED=${seed}`);
      const valid = await validImage(options);
      for (let image = 0; image < images; image++) {
        const random = new Random(seed, image, `damage ${kind}`);
        const bytes = valid.slice();
        mutate(bytes, random);
        const cut = random.chance(5) ? bytes.slice(0, random.below(bytes.length)) : bytes;
        try {
          await exercise(cut, random);
        } catch (error) {
          throw new Error(`seed ${seed}, image ${image}`, { cause: error });
        }
      }
    });
  });
}
