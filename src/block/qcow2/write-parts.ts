/** Writing where clusters have parts that are stored by themselves (extended L2 entries). */
import { ok, type Result } from '../../support/result.ts';
import { type Bytes, copyBytes } from '../../support/scattered-bytes.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { ownEntry } from './cluster-map.ts';
import type { Bitmaps, Cluster } from './entry.ts';
import { roundDown, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import { overlappedMetadata } from './overlap.ts';
import { readGuest } from './read.ts';

const allParts = 0xffff_ffff;

/** Writes what of `data` lies in the cluster at `offset`, which the caller holds. @returns how much that was */
export async function writeParts(image: Qcow2Image, offset: number, data: Bytes): Promise<Result<number, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  const start = roundDown(offset, clusterBytes);
  const part = data.subarray(0, start + clusterBytes - offset);
  const table = await image.ownTables.ensure(offset);
  const entry = table.ok ? await image.map.cluster(offset) : table;
  if (!entry.ok) return entry;
  const { cluster, bitmaps } = entry.value;
  const reserved = cluster.host !== 0 && cluster.own;
  const written = reserved
    ? await writeToOwn(image, cluster.host, bitmaps, { offset, data: part })
    : await writeToNew(image, cluster, bitmaps, { offset, data: part });
  return written.ok ? ok(part.length) : written;
}

interface Piece {
  readonly offset: number;
  readonly data: Bytes;
}

/** Stores the parts that the data touches, at their place in a cluster of the image's own. */
async function writeToOwn(
  image: Qcow2Image,
  host: number,
  bitmaps: Bitmaps,
  piece: Piece,
): Promise<Result<void, DiskFailure>> {
  const metadata = overlappedMetadata(image, host, image.geometry.clusterBytes);
  if (metadata !== undefined) return image.markCorrupt(metadata);
  const stored = await storeParts(image, host, piece);
  return stored.ok ? link(image, host, withParts(image, bitmaps, piece), piece.offset) : stored;
}

/** The same in a new cluster. Data that the old one has comes along, as it is found through the same entry. */
async function writeToNew(
  image: Qcow2Image,
  old: Cluster,
  bitmaps: Bitmaps,
  piece: Piece,
): Promise<Result<void, DiskFailure>> {
  const { refcounts, freed } = image.writable;
  const { clusterBytes } = image.geometry;
  const place = await refcounts.allocate(1, true);
  if (!place.ok) return place.error.kind === 'corrupt' ? image.markCorrupt(place) : place;
  const host = place.value.offset;
  const hasData = old.kind === 'compressed' || bitmaps.allocated !== 0;
  const stored = hasData ? await storeAll(image, host, piece) : await storeParts(image, host, piece);
  if (!stored.ok) {
    await refcounts.change(host, clusterBytes, -1);
    return stored;
  }
  const after = hasData ? { allocated: allParts, zeroed: 0 } : withParts(image, bitmaps, piece);
  const linked = await link(image, host, after, piece.offset);
  if (!linked.ok || old.host === 0) return linked;
  if (old.kind === 'compressed') image.compressed.forget(old.host);
  freed.add(old.host, old.hostBytes);
  return linked;
}

/** Fills up the first and the last part with what the guest sees there now. */
async function storeParts(
  image: Qcow2Image,
  host: number,
  { offset, data }: Piece,
): Promise<Result<void, DiskFailure>> {
  const { unitBytes, clusterBytes } = image.geometry;
  const first = roundDown(offset, unitBytes);
  const bytes = new Uint8Array(roundUp(offset + data.length, unitBytes) - first);
  const lead = offset - first;
  const head = await readGuest(image, first, bytes.subarray(0, lead));
  const tail = head.ok ? await readGuest(image, offset + data.length, bytes.subarray(lead + data.length)) : head;
  if (!tail.ok) return tail;
  copyBytes(data, bytes, lead);
  return image.file.write(host + (first % clusterBytes), bytes);
}

async function storeAll(image: Qcow2Image, host: number, { offset, data }: Piece): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  const bytes = new Uint8Array(clusterBytes);
  const read = await readGuest(image, roundDown(offset, clusterBytes), bytes);
  if (!read.ok) return read;
  copyBytes(data, bytes, offset % clusterBytes);
  return image.file.write(host, bytes);
}

function withParts(image: Qcow2Image, { allocated, zeroed }: Bitmaps, { offset, data }: Piece): Bitmaps {
  const { unitBytes, clusterBytes } = image.geometry;
  const first = Math.floor((offset % clusterBytes) / unitBytes);
  const end = Math.ceil(((offset % clusterBytes) + data.length) / unitBytes);
  let touched = 0;
  for (let part = first; part < end; part++) touched |= 1 << part;
  return { allocated: (allocated | touched) >>> 0, zeroed: (zeroed & ~touched) >>> 0 };
}

function link(image: Qcow2Image, host: number, bitmaps: Bitmaps, offset: number): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  return image.map.setEntries(roundDown(offset, clusterBytes), 1, () => ({ ...ownEntry(host), ...bitmaps }));
}
