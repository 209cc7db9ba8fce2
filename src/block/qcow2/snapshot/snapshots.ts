/** Snapshots within the image: taken, gone back to, deleted. */
import { qcow2Incompatible, qcow2Limit } from '../../../spec/qcow2.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { shownName } from '../../../support/shown-name.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { corrupt, unsupported } from '../failures.ts';
import { l1EntriesFor, roundUp } from '../geometry.ts';
import type { Qcow2Image } from '../image.ts';
import { switchL1 } from '../l1-switch.ts';
import { L1Table } from '../l1-table.ts';
import { setCopiedFlags } from './copied-flags.ts';
import { encodeSnapshots, findSnapshot, loadSnapshots, type Snapshot, snapshotExtra } from './snapshot-table.ts';
import { walkTree } from './tree.ts';

/** @param nowMs since the epoch */
export function takeSnapshot(image: Qcow2Image, name: string, nowMs: number): Promise<Result<void, DiskFailure>> {
  return exclusively(image, async (snapshots) => {
    const { map, geometry, writable, file } = image;
    if (snapshots.length >= qcow2Limit.maxSnapshots) return unsupported(image.name, 'it has 65536 snapshots already');
    const countable = await walkTree(image, map.l1, (offset, length) => refuseFull(image, offset, length));
    if (!countable.ok) return countable;
    const room = roundUp(map.l1.bytes.length, geometry.clusterBytes) / geometry.clusterBytes;
    const place = room === 0 ? ok({ offset: 0 }) : await writable.refcounts.allocate(room, true);
    if (!place.ok) return place;
    // First nobody writes in place any more, then the clusters have two users.
    const shared = await setCopiedFlags(image, async () => ok(false));
    const committed = shared.ok ? await writable.committer.commit() : shared;
    if (!committed.ok) return committed;
    const written = room === 0 ? ok(undefined) : await file.write(place.value.offset, map.l1.bytes);
    const counted = written.ok ? await changeTree(image, map.l1, 1) : written;
    if (!counted.ok) return counted;
    const snapshot: Snapshot = {
      id: String(1 + Math.max(0, ...snapshots.map(({ id }) => Number(id)).filter(Number.isSafeInteger))),
      name,
      l1TableOffset: place.value.offset,
      l1Size: map.l1.entries,
      dateSeconds: Math.floor(nowMs / 1000),
      dateNanoseconds: Math.floor(nowMs % 1000) * 1_000_000,
      vmClockNs: 0,
      vmStateBytes: 0,
      diskBytes: image.header.sizeBytes,
      extra: snapshotExtra(image.header.sizeBytes),
    };
    return replaceTable(image, [...snapshots, snapshot]);
  });
}

/** Makes the disk what it was, its size included. What was written since, unless a snapshot has it, is lost. */
export function applySnapshot(image: Qcow2Image, idOrName: string): Promise<Result<void, DiskFailure>> {
  return exclusively(image, async (snapshots) => {
    const snapshot = findSnapshot(snapshots, idOrName);
    if (snapshot === undefined) return notThere(image, idOrName);
    const saved = await loadSnapshotL1(image, snapshot);
    if (!saved.ok) return saved;
    const sizeBytes = snapshot.diskBytes ?? image.header.sizeBytes;
    const { writable, map } = image;
    const countable = await walkTree(image, saved.value, (offset, length) => refuseFull(image, offset, length));
    const counted = countable.ok ? await changeTree(image, saved.value, 1) : countable;
    if (!counted.ok) return counted;
    const entries = Math.max(saved.value.entries, l1EntriesFor(image.geometry, sizeBytes));
    const bytes = new Uint8Array(entries * 8);
    bytes.set(saved.value.bytes);
    const old = new L1Table(map.l1.offset, map.l1.bytes);
    const switched = await switchL1(image, bytes, { sizeBytes });
    if (!switched.ok) return switched;
    for (let index = 0; index < old.entries; index++) writable.regions.removeL2Table(old.tableOffset(index));
    for (let index = 0; index < map.l1.entries; index++) {
      if (map.l1.tableOffset(index) !== 0) writable.regions.addL2Table(map.l1.tableOffset(index));
    }
    const freed = await changeTree(image, old, -1);
    return freed.ok ? refreshFlags(image) : freed;
  });
}

export function deleteSnapshot(image: Qcow2Image, idOrName: string): Promise<Result<void, DiskFailure>> {
  return exclusively(image, async (snapshots) => {
    const snapshot = findSnapshot(snapshots, idOrName);
    if (snapshot === undefined) return notThere(image, idOrName);
    const saved = await loadSnapshotL1(image, snapshot);
    if (!saved.ok) return saved;
    const replaced = await replaceTable(
      image,
      snapshots.filter((each) => each !== snapshot),
    );
    const freed = replaced.ok ? await changeTree(image, saved.value, -1) : replaced;
    if (!freed.ok) return freed;
    const { freed: list } = image.writable;
    if (saved.value.bytes.length > 0) list.add(snapshot.l1TableOffset, saved.value.bytes.length);
    return refreshFlags(image);
  });
}

/** Makes an image that is only read show a snapshot. */
export async function showSnapshot(image: Qcow2Image, idOrName: string): Promise<Result<void, DiskFailure>> {
  const listed = await loadSnapshots(image.file, image.header);
  if (!listed.ok) return listed;
  const snapshot = findSnapshot(listed.value.snapshots, idOrName);
  if (snapshot === undefined) return notThere(image, idOrName);
  const l1 = await loadSnapshotL1(image, snapshot);
  if (l1.ok) image.showSnapshot(l1.value, snapshot.diskBytes ?? image.header.sizeBytes);
  return l1.ok ? ok(undefined) : l1;
}

function notThere(image: Qcow2Image, idOrName: string): Result<void, DiskFailure> {
  return fail('not-found', `the image ${image.name} has no snapshot "${shownName(idOrName)}".`);
}

/** The L1 table of a snapshot, as it lies in the file. */
async function loadSnapshotL1(image: Qcow2Image, snapshot: Snapshot): Promise<Result<L1Table, DiskFailure>> {
  const { geometry, header } = image;
  const { l1TableOffset, l1Size } = snapshot;
  const size = await image.file.size();
  if (!size.ok) return size;
  const placed =
    l1TableOffset % geometry.clusterBytes === 0 &&
    l1TableOffset + l1Size * 8 <= roundUp(size.value, geometry.clusterBytes);
  const large =
    l1Size * 8 > qcow2Limit.maxL1Bytes || l1Size < l1EntriesFor(geometry, snapshot.diskBytes ?? header.sizeBytes);
  if (!placed || large)
    return corrupt(image.name, `the L1 table of its snapshot "${shownName(snapshot.name)}" is misplaced`);
  return L1Table.load(image.file, l1TableOffset, l1Size);
}

/** While the counts of a whole tree change, a crash leaves the image marked: whoever opens it next repairs it. */
async function exclusively(
  image: Qcow2Image,
  change: (snapshots: readonly Snapshot[]) => Promise<Result<void, DiskFailure>>,
): Promise<Result<void, DiskFailure>> {
  const ready = await image.prepareToWrite();
  if (!ready.ok) return ready;
  const lock = await image.lock(0, Number.POSITIVE_INFINITY, true);
  try {
    const flushed = await image.flush();
    const listed = flushed.ok ? await loadSnapshots(image.file, image.header) : flushed;
    if (!listed.ok) return listed;
    const { incompatible, version } = image.header;
    const dirty = version > 2 ? incompatible | qcow2Incompatible.dirty : incompatible;
    const marked = dirty === incompatible ? ok(undefined) : await image.changeHeader({ incompatible: dirty });
    if (!marked.ok) return marked;
    const changed = await change(listed.value.snapshots);
    const done = await image.flush();
    // After a refusal nothing has changed that counts: the image is as good as before.
    const harmless = changed.ok || changed.error.kind === 'unsupported' || changed.error.kind === 'not-found';
    if (!harmless || !done.ok) return image.refuseFurther(changed.ok ? done : changed);
    const again = await image.flush();
    const cleared = again.ok && dirty !== incompatible ? await image.changeHeader({ incompatible }) : again;
    return changed.ok ? cleared : changed;
  } finally {
    image.locks.release(lock);
  }
}

async function refuseFull(image: Qcow2Image, offset: number, length: number): Promise<Result<void, DiskFailure>> {
  const { clusterBytes, maxRefcount, refcountBits } = image.geometry;
  for (let cluster = Math.floor(offset / clusterBytes); cluster * clusterBytes < offset + length; cluster++) {
    const count = await image.writable.refcounts.get(cluster);
    if (!count.ok) return count;
    if (count.value < maxRefcount) continue;
    return unsupported(image.name, `its ${refcountBits}-bit refcounts cannot count one more user of its clusters`);
  }
  return ok(undefined);
}

async function changeTree(image: Qcow2Image, l1: L1Table, delta: 1 | -1): Promise<Result<void, DiskFailure>> {
  const { refcounts, freed } = image.writable;
  const walked = await walkTree(image, l1, async (offset, length) => {
    if (delta > 0) return refcounts.change(offset, length, delta);
    image.compressed.forget(offset);
    freed.add(offset, length);
    return freed.isLong ? image.flush() : ok(undefined);
  });
  return walked.ok ? image.flush() : walked;
}

function refreshFlags(image: Qcow2Image): Promise<Result<void, DiskFailure>> {
  const { clusterBytes } = image.geometry;
  return setCopiedFlags(image, async (offset) => {
    const count = await image.writable.refcounts.get(offset / clusterBytes);
    return count.ok ? ok(count.value === 1) : count;
  });
}

/** Writes the list to a new place and makes the header name that. */
async function replaceTable(image: Qcow2Image, snapshots: readonly Snapshot[]): Promise<Result<void, DiskFailure>> {
  const { file, header, geometry, writable } = image;
  const old = await loadSnapshots(file, header);
  if (!old.ok) return old;
  const bytes = encodeSnapshots(snapshots);
  let offset = 0;
  if (bytes.length > 0) {
    const count = Math.ceil(bytes.length / geometry.clusterBytes);
    const place = await writable.refcounts.allocate(count, true);
    if (!place.ok) return place;
    offset = place.value.offset;
    const written = await file.write(offset, bytes);
    if (!written.ok) return written;
  }
  const committed = await writable.committer.commit();
  const changes = { snapshotCount: snapshots.length, snapshotsOffset: offset };
  const switched = committed.ok ? await image.changeHeader(changes) : committed;
  if (!switched.ok) return switched;
  if (old.value.tableBytes > 0) writable.freed.add(header.snapshotsOffset, old.value.tableBytes);
  image.markSnapshots(snapshots);
  return ok(undefined);
}
