/** The list of an image's snapshots as it lies in the file. */
import { qcow2Snapshot as field, qcow2Limit } from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../../support/utf8.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { corrupt } from '../failures.ts';
import type { Header } from '../header.ts';
import { getU64, setU64, viewOf } from '../header.ts';

export interface Snapshot {
  readonly id: string;
  readonly name: string;
  readonly l1TableOffset: number;
  readonly l1Size: number;
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  /** How long the guest had been running. */
  readonly vmClockNs: number;
  readonly vmStateBytes: number;
  /** The disk's size then; undefined in old images, whose disks keep theirs. */
  readonly diskBytes: number | undefined;
  /** As it was found, so that what this program does not know is kept. */
  readonly extra: Uint8Array;
}

const startBytes = 16 * 1024;

/** @returns the snapshots, and how long their table is */
export async function loadSnapshots(
  file: BlockFile,
  header: Header,
): Promise<Result<{ snapshots: Snapshot[]; tableBytes: number }, DiskFailure>> {
  if (header.snapshotCount === 0) return ok({ snapshots: [], tableBytes: 0 });
  const size = await file.size();
  if (!size.ok) return size;
  const most = Math.min(qcow2Limit.maxSnapshotTableBytes, size.value - header.snapshotsOffset);
  for (let length = startBytes; ; length *= 4) {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, most)));
    const read = await file.read(header.snapshotsOffset, bytes);
    if (!read.ok) return read;
    const parsed = parseSnapshots(bytes, header.snapshotCount);
    if (parsed !== 'more') return parsed === 'wrong' ? damaged(file) : ok(parsed);
    if (length >= most) return damaged(file);
  }
}

const damaged = (file: BlockFile) => corrupt(file.name, 'its table of snapshots is malformed');

function parseSnapshots(
  bytes: Uint8Array,
  count: number,
): { snapshots: Snapshot[]; tableBytes: number } | 'more' | 'wrong' {
  const snapshots: Snapshot[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (snapshots.length < count) {
    if (at + field.fixedBytes > bytes.length) return 'more';
    const extraBytes = view.getUint32(at + field.extraBytes);
    const idBytes = view.getUint16(at + field.idBytes);
    const nameBytes = view.getUint16(at + field.nameBytes);
    if (extraBytes > qcow2Limit.maxSnapshotExtraBytes) return 'wrong';
    const extraAt = at + field.fixedBytes;
    const end = extraAt + extraBytes + idBytes + nameBytes;
    if (end > bytes.length) return 'more';
    const extra = bytes.slice(extraAt, extraAt + extraBytes);
    const id = decodeUtf8(bytes.subarray(extraAt + extraBytes, end - nameBytes));
    const name = decodeUtf8(bytes.subarray(end - nameBytes, end));
    if (id === undefined || name === undefined) return 'wrong';
    const inExtra = (offset: number): number | undefined =>
      offset + 8 <= extra.length ? getU64(viewOf(extra), offset) : undefined;
    snapshots.push({
      id,
      name,
      l1TableOffset: getU64(view, at + field.l1TableOffset),
      l1Size: view.getUint32(at + field.l1Size),
      dateSeconds: view.getUint32(at + field.dateSeconds),
      dateNanoseconds: view.getUint32(at + field.dateNanoseconds),
      vmClockNs: getU64(view, at + field.vmClockNs),
      vmStateBytes: inExtra(field.extraVmStateBytes) ?? view.getUint32(at + field.vmStateBytes),
      diskBytes: inExtra(field.extraDiskBytes),
      extra,
    });
    at = Math.ceil(end / 8) * 8;
  }
  return { snapshots, tableBytes: at };
}

export function encodeSnapshots(snapshots: readonly Snapshot[]): Uint8Array {
  const pieces = snapshots.map(encodeSnapshot);
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const { extra } = snapshot;
  const id = encodeUtf8(snapshot.id);
  const name = encodeUtf8(snapshot.name);
  const bytes = new Uint8Array(Math.ceil((field.fixedBytes + extra.length + id.length + name.length) / 8) * 8);
  const view = viewOf(bytes);
  setU64(view, field.l1TableOffset, snapshot.l1TableOffset);
  view.setUint32(field.l1Size, snapshot.l1Size);
  view.setUint16(field.idBytes, id.length);
  view.setUint16(field.nameBytes, name.length);
  view.setUint32(field.dateSeconds, snapshot.dateSeconds);
  view.setUint32(field.dateNanoseconds, snapshot.dateNanoseconds);
  setU64(view, field.vmClockNs, snapshot.vmClockNs);
  view.setUint32(field.vmStateBytes, Math.min(snapshot.vmStateBytes, 0xffff_ffff));
  view.setUint32(field.extraBytes, extra.length);
  bytes.set(extra, field.fixedBytes);
  bytes.set(id, field.fixedBytes + extra.length);
  bytes.set(name, field.fixedBytes + extra.length + id.length);
  return bytes;
}

/** The extra data of a snapshot of a disk without a running machine. */
export function snapshotExtra(diskBytes: number): Uint8Array {
  const extra = new Uint8Array(field.extraIcount + 8);
  setU64(viewOf(extra), field.extraDiskBytes, diskBytes);
  extra.fill(0xff, field.extraIcount);
  return extra;
}

/** By ID first, then by name, as qemu-img does. */
export function findSnapshot(snapshots: readonly Snapshot[], idOrName: string): Snapshot | undefined {
  return snapshots.find(({ id }) => id === idOrName) ?? snapshots.find(({ name }) => name === idOrName);
}
