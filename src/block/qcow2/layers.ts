/** What one image of a chain has of its own, brought into the image below or made independent of it. */
import { ok, type Result } from '../../support/result.ts';
import type { Disk } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { isZero } from '../zeroes.ts';
import { unsupported } from './failures.ts';
import { roundUp } from './geometry.ts';
import { encodeHeader } from './header.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';
import { readGuest } from './read.ts';
import { zeroHeld } from './zero.ts';

type Progress = (part: number) => void;

/** Data is moved in pieces of about this size. */
const pieceBytes = 2 ** 20;

/**
 * Writes what `top` has of its own into `base`, whose disk grows if it has to.
 * @param base the image below, open for writing. `top` does not read from it meanwhile.
 */
export async function mergeDown(top: Qcow2Disk, base: Disk, onProgress: Progress): Promise<Result<void, DiskFailure>> {
  const { image } = top;
  if (base.sizeBytes < top.sizeBytes) {
    const grown = await base.resize(top.sizeBytes);
    if (!grown.ok) return grown;
  }
  const buffer = new Uint8Array(pieceBytes);
  for (let at = 0; at < top.sizeBytes; ) {
    const run = await image.map.run(at, top.sizeBytes);
    if (!run.ok) return run;
    const { kind, length } = run.value;
    if (kind === 'zero') {
      const zeroed = await base.writeZeroes(at, length, true);
      if (!zeroed.ok) return zeroed;
    } else if (kind !== 'hole') {
      for (let part = at; part < at + length; part += pieceBytes) {
        const bytes = buffer.subarray(0, Math.min(pieceBytes, at + length - part));
        const read = await readGuest(image, part, bytes);
        const written = read.ok ? await base.write(part, bytes) : read;
        if (!written.ok) return written;
        onProgress((part + bytes.length) / top.sizeBytes);
      }
    }
    at += length;
    onProgress(at / top.sizeBytes);
  }
  return base.flush();
}

/** Makes an image show nothing but what is below. */
export async function dropContent({ image }: Qcow2Disk): Promise<Result<void, DiskFailure>> {
  const ready = await image.prepareToWrite();
  if (!ready.ok) return ready;
  const lock = await image.lock(0, Number.POSITIVE_INFINITY, true);
  try {
    const dropped = await zeroHeld(image, 0, roundUp(image.header.sizeBytes, image.geometry.clusterBytes), 'drop');
    return dropped.ok ? await image.flush() : dropped;
  } finally {
    image.locks.release(lock);
  }
}

/**
 * Gives `top` everything in which `base` differs from what is below it now, so that nothing changes when it is laid over
 * `base` instead.
 * @param base undefined: over nothing
 */
export async function adoptDifferences(
  top: Qcow2Disk,
  base: Disk | undefined,
  onProgress: Progress,
): Promise<Result<void, DiskFailure>> {
  const { image } = top;
  const unit = roundUp(pieceBytes, image.geometry.clusterBytes);
  const [now, then] = [new Uint8Array(unit), new Uint8Array(unit)];
  for (let at = 0; at < top.sizeBytes; ) {
    const run = await image.map.run(at, Math.min(at + unit - (at % unit), top.sizeBytes));
    if (!run.ok) return run;
    const { kind, length } = run.value;
    if (kind === 'hole') {
      const differ = await adoptPiece(top, base, at, now.subarray(0, length), then.subarray(0, length));
      if (!differ.ok) return differ;
    }
    at += length;
    onProgress(at / top.sizeBytes);
  }
  return top.flush();
}

async function adoptPiece(
  top: Qcow2Disk,
  base: Disk | undefined,
  offset: number,
  now: Uint8Array,
  then: Uint8Array,
): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = top.image.geometry;
  const read = await top.read(offset, now);
  const inBase = Math.max(0, Math.min(then.length, (base?.sizeBytes ?? 0) - offset));
  then.fill(0, inBase);
  const other = read.ok && inBase > 0 && base !== undefined ? await base.read(offset, then.subarray(0, inBase)) : read;
  if (!other.ok) return other;
  for (let at = 0; at < now.length; at += clusterBytes) {
    const bytes = now.subarray(at, at + clusterBytes);
    if (isEqual(bytes, then.subarray(at, at + clusterBytes))) continue;
    const written = isZero(bytes)
      ? await top.writeZeroes(offset + at, bytes.length, true)
      : await top.write(offset + at, bytes);
    if (!written.ok) return written;
  }
  return ok(undefined);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Makes the image name another file as the one below, or none. */
export async function nameBacking(
  { image }: Qcow2Disk,
  backingFile: string | undefined,
  backingFormat: string | undefined,
): Promise<Result<void, DiskFailure>> {
  const ready = await image.prepareToWrite();
  const flushed = ready.ok ? await image.flush() : ready;
  if (!flushed.ok) return flushed;
  const { refcountTable } = image.writable;
  const header = {
    ...image.header,
    refcountTableOffset: refcountTable.offset,
    refcountTableClusters: refcountTable.clusters,
    backingFile,
    backingFormat,
  };
  const bytes = encodeHeader(header);
  if (bytes === undefined) return unsupported(image.name, 'its header has no room for that name of a backing file');
  const written = await image.file.write(0, bytes);
  return written.ok ? image.file.flush() : written;
}
