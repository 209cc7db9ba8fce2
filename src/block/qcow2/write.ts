/** Writing: in place where the clusters are the image's own, else to new clusters that then replace the old. */
import { ok, type Result } from '../../support/result.ts';
import { type Bytes, copyBytes } from '../../support/scattered-bytes.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { writeFrom } from '../scattered.ts';
import { ownEntry, type Run } from './cluster-map.ts';
import { roundDown, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import { overlappedMetadata } from './overlap.ts';
import { readGuest, readsAsZero } from './read.ts';
import type { Allocation } from './refcounts.ts';
import { writeParts } from './write-parts.ts';

/** Up to here, data and what surrounds it in its clusters are joined for one write. */
const joinedBytes = 256 * 1024;

export async function writeGuest(image: Qcow2Image, offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  const end = offset + from.length;
  const [start, ends] = [roundDown(offset, clusterBytes), roundUp(end, clusterBytes)];
  const shared = await image.lock(start, ends, false);
  try {
    const runs = await image.map.runs(offset, end);
    if (!runs.ok) return runs;
    if (runs.value.every(isWritable)) return await writeInPlace(image, runs.value, from);
  } finally {
    image.locks.release(shared);
  }
  const alone = await image.lock(start, ends, true);
  try {
    // Somebody may have been faster.
    const runs = await image.map.runs(offset, end);
    if (!runs.ok) return runs;
    if (!runs.value.every(isWritable)) return await writeAlone(image, offset, from);
    image.locks.share(alone);
    return await writeInPlace(image, runs.value, from);
  } finally {
    image.locks.release(alone);
  }
}

function isWritable(run: Run): boolean {
  return run.kind === 'data' && run.own;
}

async function writeInPlace(image: Qcow2Image, runs: readonly Run[], from: Bytes): Promise<Result<void, DiskFailure>> {
  for (const { host, length } of runs) {
    const metadata = overlappedMetadata(image, host, length);
    if (metadata !== undefined) return image.markCorrupt(metadata);
  }
  const [only] = runs;
  if (runs.length === 1 && only !== undefined) return writeFrom(image.file, only.host, from);
  let at = 0;
  const writes = runs.map(({ host, length }) => {
    at += length;
    return writeFrom(image.file, host, from.subarray(at - length, at));
  });
  return (await Promise.all(writes)).find((result) => !result.ok) ?? ok(undefined);
}

/** The caller holds the clusters exclusively. */
export async function writeAlone(image: Qcow2Image, offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
  for (let done = 0; done < from.length; ) {
    const run = await image.map.run(offset + done, offset + from.length);
    if (!run.ok) return run;
    const data = from.subarray(done, done + run.value.length);
    const written = isWritable(run.value)
      ? mapLength(await writeInPlace(image, [run.value], data), data.length)
      : image.geometry.unitsPerCluster > 1
        ? await writeParts(image, offset + done, from.subarray(done))
        : await writeToNew(image, run.value, offset + done, data);
    if (!written.ok) return written;
    done += written.value;
  }
  return ok(undefined);
}

function mapLength(result: Result<void, DiskFailure>, length: number): Result<number, DiskFailure> {
  return result.ok ? ok(length) : result;
}

/** @returns how many bytes of `data` it wrote: as many as room was found for in one piece */
async function writeToNew(
  image: Qcow2Image,
  run: Run,
  offset: number,
  data: Bytes,
): Promise<Result<number, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  const { refcounts } = image.writable;
  const table = await image.ownTables.ensure(offset);
  if (!table.ok) return table;
  const start = roundDown(offset, clusterBytes);
  const wanted = roundUp(offset + data.length, clusterBytes) - start;
  const reserved = run.kind === 'zero' && run.own && run.host !== 0;
  const place: Result<Allocation, DiskFailure> = reserved
    ? ok({ offset: run.host - (offset - start), count: wanted / clusterBytes, fresh: false })
    : await refcounts.allocate(wanted / clusterBytes, false);
  if (!place.ok) return place.error.kind === 'corrupt' ? image.markCorrupt(place) : place;
  const placeBytes = place.value.count * clusterBytes;
  const part = data.subarray(0, start + placeBytes - offset);
  const metadata = reserved ? overlappedMetadata(image, place.value.offset, placeBytes) : undefined;
  if (metadata !== undefined) return image.markCorrupt(metadata);
  const stored = await writeClusters(image, run, place.value, { offset, data: part });
  if (!stored.ok) {
    if (!reserved) await refcounts.change(place.value.offset, placeBytes, -1);
    return stored;
  }
  const entry = (index: number) => ownEntry(place.value.offset + index * clusterBytes);
  const linked = await image.map.setEntries(start, place.value.count, entry);
  if (!linked.ok) return linked;
  if (!reserved) dropOld(image, run, offset - start, placeBytes);
  return ok(part.length);
}

/** What a run used to occupy is no longer mentioned. @param lead bytes of the cluster before the run's first byte */
export function dropOld(image: Qcow2Image, run: Run, lead: number, length: number): void {
  if (run.host === 0) return;
  if (run.kind === 'compressed') {
    image.compressed.forget(run.host);
    image.writable.freed.add(run.host, run.hostBytes);
  } else {
    image.writable.freed.add(run.host - lead, length);
  }
}

/** Writes whole new clusters: the data, and around it what the guest sees there now. */
async function writeClusters(
  image: Qcow2Image,
  run: Run,
  place: Allocation,
  { offset, data }: { offset: number; data: Bytes },
): Promise<Result<void, DiskFailure>> {
  const { file, geometry } = image;
  const total = place.count * geometry.clusterBytes;
  const start = roundDown(offset, geometry.clusterBytes);
  const lead = offset - start;
  const tail = total - lead - data.length;
  const zero = readsAsZero(image, run, start);
  if ((lead === 0 && tail === 0) || (zero && place.fresh)) return writeFrom(file, place.offset + lead, data);
  const joined = total <= joinedBytes;
  const head = new Uint8Array(joined ? total : lead);
  const rest = joined ? head.subarray(total - tail) : new Uint8Array(tail);
  if (!zero) {
    const read = [readGuest(image, start, head.subarray(0, lead)), readGuest(image, offset + data.length, rest)];
    const failed = (await Promise.all(read)).find((result) => !result.ok);
    if (failed !== undefined) return failed;
  }
  if (joined) {
    copyBytes(data, head, lead);
    return file.write(place.offset, head);
  }
  const writes = [
    file.write(place.offset, head),
    writeFrom(file, place.offset + lead, data),
    file.write(place.offset + lead + data.length, rest),
  ];
  return (await Promise.all(writes)).find((result) => !result.ok) ?? ok(undefined);
}
