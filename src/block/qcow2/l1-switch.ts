/** Gives the image another active L1 table, at once for whoever looks at the file. */
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { roundUp } from './geometry.ts';
import type { Header } from './header.ts';
import type { Qcow2Image } from './image.ts';
import { L1Table } from './l1-table.ts';

/**
 * The caller holds the whole disk exclusively. What the new table points to has been committed, or is by this.
 * @param bytes the table; becomes the image's own
 * @param changes further fields of the header that change with it
 */
export async function switchL1(
  image: Qcow2Image,
  bytes: Uint8Array,
  changes: Partial<Header> = {},
): Promise<Result<void, DiskFailure>> {
  const { file, map, geometry, writable } = image;
  const room = roundUp(bytes.length, geometry.clusterBytes);
  const place = await writable.refcounts.allocate(room / geometry.clusterBytes, true);
  if (!place.ok) return place;
  const { offset } = place.value;
  const old = { offset: map.l1.offset, length: map.l1.bytes.length };
  const written = await file.write(offset, padded(bytes, room));
  const committed = written.ok ? await writable.committer.commit() : written;
  if (!committed.ok) {
    await writable.refcounts.change(offset, room, -1);
    return committed;
  }
  const switched = await image.changeHeader({ l1TableOffset: offset, l1Size: bytes.length / 8, ...changes });
  if (!switched.ok) return switched;
  map.useL1(new L1Table(offset, bytes));
  writable.regions.setRegion('the L1 table', offset, room);
  if (old.length > 0) writable.freed.add(old.offset, old.length);
  return ok(undefined);
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}
