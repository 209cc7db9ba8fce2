/** Discarding and zeroing by changing what the tables say. */
import { qcow2EntryLow } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { zeroPieces } from '../zeroes.ts';
import { ownEntry, type Run } from './cluster-map.ts';
import { roundDown, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import { readsAsZero } from './read.ts';
import { dropOld, writeAlone, writeGuest } from './write.ts';

/**
 * `discard`: only a hint; `unmap`: must be zero, storage may go; `keep`: must be zero, storage should stay; `drop`:
 * storage must go, nobody will read.
 */
export type ZeroMode = 'discard' | 'unmap' | 'keep' | 'drop';

const emptyEntry = { high: 0, low: 0 };
const zeroEntry = { high: 0, low: qcow2EntryLow.zero };

/** See `Disk.discard` and `Disk.writeZeroes`. */
export async function zeroGuest(
  image: Qcow2Image,
  offset: number,
  length: number,
  mode: ZeroMode,
): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  const end = offset + length;
  const first = roundUp(offset, clusterBytes);
  // The last cluster may be one that the disk ends within.
  const last = end === image.header.sizeBytes ? roundUp(end, clusterBytes) : roundDown(end, clusterBytes);
  const inParts = mode !== 'discard';
  if (first >= last) return inParts ? writeZeroes(image, offset, end) : ok(undefined);
  if (inParts && offset < first) {
    const head = await writeZeroes(image, offset, first);
    if (!head.ok) return head;
  }
  const whole = await zeroClusters(image, first, last, mode);
  if (!whole.ok || !inParts || last >= end) return whole;
  return writeZeroes(image, last, end);
}

/** Writes zeroes as data where the range does not read as zeroes already. */
async function writeZeroes(image: Qcow2Image, offset: number, end: number): Promise<Result<void, DiskFailure>> {
  for (let at = offset; at < end; ) {
    const run = await image.map.run(at, end);
    if (!run.ok) return run;
    if (!readsAsZero(image, run.value, at)) {
      for (const piece of zeroPieces(run.value.length)) {
        const written = await writeGuest(image, at + piece.offset, piece.bytes);
        if (!written.ok) return written;
      }
    }
    at += run.value.length;
  }
  return ok(undefined);
}

/** One L2 table at a time, so that other requests get their turn. */
export async function zeroClusters(
  image: Qcow2Image,
  start: number,
  end: number,
  mode: ZeroMode,
): Promise<Result<void, DiskFailure>> {
  const { l2CoverageBytes } = image.geometry;
  const asData = image.header.version < 3 && (image.backing !== undefined || mode === 'keep');
  if (asData && mode === 'discard') return ok(undefined);
  if (asData) return writeZeroes(image, start, Math.min(end, image.header.sizeBytes));
  for (let at = start; at < end; ) {
    const next = Math.min(end, roundDown(at, l2CoverageBytes) + l2CoverageBytes);
    const lock = await image.lock(at, next, true);
    try {
      const changed = await zeroInTable(image, at, next, mode);
      if (!changed.ok) return changed;
    } finally {
      image.locks.release(lock);
    }
    if (image.writable.freed.isLong) {
      const flushed = await image.flush();
      if (!flushed.ok) return flushed;
    }
    at = next;
  }
  return ok(undefined);
}

/** The same for a range beyond the end of the disk. The caller holds the disk exclusively. */
export async function zeroHeld(
  image: Qcow2Image,
  start: number,
  end: number,
  mode: 'unmap' | 'drop',
): Promise<Result<void, DiskFailure>> {
  const asData = mode === 'unmap' && image.header.version < 3 && image.backing !== undefined;
  const { l2CoverageBytes } = image.geometry;
  for (let at = start; at < end; ) {
    const next = Math.min(end, roundDown(at, l2CoverageBytes) + l2CoverageBytes);
    const changed = asData ? await clearAsData(image, at, next) : await zeroInTable(image, at, next, mode);
    const flushed = changed.ok && image.writable.freed.isLong ? await image.flush() : changed;
    if (!flushed.ok) return flushed;
    at = next;
  }
  return ok(undefined);
}

/** Version 2 can hide what is below by data alone. */
async function clearAsData(image: Qcow2Image, start: number, end: number): Promise<Result<void, DiskFailure>> {
  for (let at = start; at < end; ) {
    const run = await image.map.run(at, end);
    if (!run.ok) return run;
    if (!readsAsZero(image, run.value, at)) {
      for (const piece of zeroPieces(run.value.length)) {
        const written = await writeAlone(image, at + piece.offset, piece.bytes);
        if (!written.ok) return written;
      }
    }
    at += run.value.length;
  }
  return ok(undefined);
}

async function zeroInTable(
  image: Qcow2Image,
  start: number,
  end: number,
  mode: ZeroMode,
): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  for (let at = start; at < end; ) {
    const run = await image.map.run(at, end);
    if (!run.ok) return run;
    const { length } = run.value;
    const entry = newEntry(image, run.value, at, mode);
    if (entry !== undefined) {
      const table = await image.ownTables.ensure(at);
      if (!table.ok) return table;
      const linked = await image.map.setEntries(at, length / clusterBytes, (index) => entry(index * clusterBytes));
      if (!linked.ok) return linked;
      if (entry(0).high === 0) dropOld(image, run.value, 0, length);
    }
    at += length;
  }
  return ok(undefined);
}

type EntryAt = (distance: number) => { readonly high: number; readonly low: number };

/** What stands for the clusters of a run afterwards; undefined if that is what stands there now. */
function newEntry(image: Qcow2Image, run: Run, offset: number, mode: ZeroMode): EntryAt | undefined {
  const stored = run.host !== 0;
  if (mode === 'drop') return run.kind === 'hole' ? undefined : () => emptyEntry;
  if (!stored && (mode === 'discard' || readsAsZero(image, run, offset))) return undefined;
  if (mode === 'keep' && run.kind === 'zero') return undefined;
  if (mode === 'keep' && run.kind === 'data' && run.own) {
    return (distance) => {
      const { high, low } = ownEntry(run.host + distance);
      return { high, low: low + qcow2EntryLow.zero };
    };
  }
  // What is below must not show through.
  return image.backing === undefined ? () => emptyEntry : () => zeroEntry;
}
