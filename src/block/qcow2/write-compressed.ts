/** Writes whole clusters compressed, as converting does. A guest that changes one later makes it a plain one. */
import { qcow2Compression } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { checkRange } from '../range.ts';
import { encodeCompressed, maxCompressedOffset } from './entry.ts';
import { unsupported } from './failures.ts';
import { roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';
import { dropOld, writeAlone } from './write.ts';

/** @param from a cluster of the disk, or what the disk has of its last one; `offset` is a cluster's */
export async function writeCompressed(
  disk: Qcow2Disk,
  offset: number,
  from: Uint8Array,
): Promise<Result<void, DiskFailure>> {
  const { image } = disk;
  const { clusterBytes } = image.geometry;
  const range = checkRange(disk, offset, from.length);
  if (!range.ok) return range;
  const ready = await image.prepareToWrite();
  if (!ready.ok) return ready;
  const { codecs, header } = image;
  const cluster = new Uint8Array(clusterBytes);
  cluster.set(from);
  const packed = await (header.compressionType === qcow2Compression.zstd
    ? codecs.zstdCompress(cluster)
    : codecs.deflate(cluster));
  const lock = await image.lock(offset, offset + clusterBytes, true);
  try {
    if (packed.length >= clusterBytes) return await writeAlone(image, offset, from);
    return await store(image, offset, packed);
  } finally {
    image.locks.release(lock);
  }
}

async function store(image: Qcow2Image, offset: number, packed: Uint8Array): Promise<Result<void, DiskFailure>> {
  const { geometry, map, file, writable } = image;
  const { clusterBits, clusterBytes } = geometry;
  const run = await map.run(offset, offset + clusterBytes);
  if (!run.ok) return run;
  const table = await image.ownTables.ensure(offset);
  const place = table.ok ? await writable.refcounts.allocateBytes(packed.length) : table;
  if (!place.ok) return place.error.kind === 'corrupt' ? image.markCorrupt(place) : place;
  const host = place.value;
  const describable = host + roundUp(packed.length, clusterBytes) <= maxCompressedOffset(clusterBits);
  const written = describable
    ? await file.write(host, packed)
    : unsupported(image.name, 'it is too large for compression');
  if (!written.ok) {
    await writable.refcounts.change(host, packed.length, -1);
    return written;
  }
  const entry = encodeCompressed(host, packed.length, clusterBits);
  const linked = await map.setEntries(offset, 1, () => entry);
  if (linked.ok) dropOld(image, run.value, 0, clusterBytes);
  return linked.ok ? ok(undefined) : linked;
}
