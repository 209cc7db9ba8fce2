/** Makes a disk larger or smaller. */
import { ok, type Result } from '../../support/result.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { unsupported } from './failures.ts';
import { l1EntriesFor, maxDiskBytes, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import { switchL1 } from './l1-switch.ts';
import { readsAsZero } from './read.ts';
import { dropOld, writeAlone } from './write.ts';
import { zeroHeld } from './zero.ts';

export async function resizeImage(image: Qcow2Image, sizeBytes: number): Promise<Result<void, DiskFailure>> {
  const wanted = roundUp(sizeBytes, sectorBytes);
  if (wanted > maxDiskBytes(image.geometry)) {
    const { clusterBytes } = image.geometry;
    return unsupported(image.name, `with clusters of ${clusterBytes} bytes its disk cannot have ${wanted} bytes`);
  }
  if (image.header.version < 3 && image.header.snapshotCount > 0) {
    return unsupported(image.name, 'version 2 of the format does not allow to resize a disk that has snapshots');
  }
  const lock = await image.lock(0, Number.POSITIVE_INFINITY, true);
  try {
    if (wanted === image.header.sizeBytes) return ok(undefined);
    return await (wanted > image.header.sizeBytes ? grow(image, wanted) : shrink(image, wanted));
  } finally {
    image.locks.release(lock);
  }
}

/** The new bytes read as zeroes before they belong to the disk. */
async function grow(image: Qcow2Image, wanted: number): Promise<Result<void, DiskFailure>> {
  const { geometry, map } = image;
  const old = image.header.sizeBytes;
  const entries = l1EntriesFor(geometry, wanted);
  if (entries > map.l1.entries) {
    const flushed = await image.flush();
    if (!flushed.ok) return flushed;
    const bytes = new Uint8Array(entries * 8);
    bytes.set(map.l1.bytes);
    const switched = await switchL1(image, bytes);
    if (!switched.ok) return switched;
  }
  const firstNew = roundUp(old, geometry.clusterBytes);
  if (firstNew > old) {
    const run = await map.run(old, firstNew);
    if (!run.ok) return run;
    const zeroes = new Uint8Array(firstNew - old);
    const cleared = readsAsZero(image, run.value, old) ? ok(undefined) : await writeAlone(image, old, zeroes);
    if (!cleared.ok) return cleared;
  }
  const cleared = await zeroHeld(image, firstNew, roundUp(wanted, geometry.clusterBytes), 'unmap');
  if (!cleared.ok) return cleared;
  const flushed = await image.flush();
  return flushed.ok ? image.changeHeader({ sizeBytes: wanted }) : flushed;
}

/** The disk is smaller before its storage is given back. */
async function shrink(image: Qcow2Image, wanted: number): Promise<Result<void, DiskFailure>> {
  const { geometry, map, writable } = image;
  const { clusterBytes, l2CoverageBytes } = geometry;
  const flushed = await image.flush();
  const resized = flushed.ok ? await image.changeHeader({ sizeBytes: wanted }) : flushed;
  if (!resized.ok) return resized;
  const kept = l1EntriesFor(geometry, wanted);
  const partly = Math.min(kept, map.l1.entries) * l2CoverageBytes;
  const cleared = await zeroHeld(image, roundUp(wanted, clusterBytes), partly, 'drop');
  if (!cleared.ok) return cleared;
  for (let index = kept; index < map.l1.entries; index++) {
    const start = index * l2CoverageBytes;
    const table = map.tableAt(start);
    if (!table.ok) return table;
    if (table.value === 0) continue;
    for (let at = start; at < start + l2CoverageBytes; ) {
      const run = await map.run(at, start + l2CoverageBytes);
      if (!run.ok) return run;
      dropOld(image, run.value, 0, run.value.length);
      at += run.value.length;
    }
    map.l1.set(index, 0, false);
    map.cache.forget(table.value, table.value + clusterBytes);
    writable.regions.removeL2Table(table.value);
    writable.freed.add(table.value, clusterBytes);
    const committed = writable.freed.isLong ? await image.flush() : ok(undefined);
    if (!committed.ok) return committed;
  }
  return image.flush();
}
