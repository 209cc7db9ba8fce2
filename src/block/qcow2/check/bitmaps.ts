/** The room that dirty bitmaps of other programs take. */
import {
  qcow2BitmapEntry as entryField,
  qcow2Bitmaps as field,
  qcow2Autoclear,
  qcow2Extension,
  qcow2Limit,
} from '../../../spec/qcow2.ts';
import { ok, type Result } from '../../../support/result.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { getU64, viewOf } from '../header.ts';
import type { CheckState } from './check-state.ts';
import { l2Offset } from './walk.ts';

/** Bitmaps that are not marked as consistent belong to nobody. */
export async function countBitmaps(state: CheckState): Promise<Result<void, DiskFailure>> {
  const { header, file } = state;
  const extension = header.extensions.find(({ type }) => type === qcow2Extension.bitmaps)?.data;
  if (extension === undefined || (header.autoclear & qcow2Autoclear.bitmaps) === 0n) return ok(undefined);
  const view = viewOf(extension);
  const count = extension.length < field.bytes ? Number.POSITIVE_INFINITY : view.getUint32(field.count);
  const length = extension.length < field.bytes ? 0 : getU64(view, field.directoryBytes);
  if (count > qcow2Limit.maxBitmaps || length > qcow2Limit.maxBitmapDirectoryBytes) {
    state.error('the list of bitmaps is malformed', false);
    return ok(undefined);
  }
  const offset = getU64(view, field.directoryOffset);
  if (!state.countTable('the list of bitmaps', offset, length)) return ok(undefined);
  const directory = new Uint8Array(length);
  const read = await file.read(offset, directory);
  if (!read.ok) return read;
  const entries = viewOf(directory);
  for (let at = 0, index = 0; index < count; index++) {
    if (at + entryField.fixedBytes > directory.length) {
      state.error('the list of bitmaps ends within a bitmap', false);
      return ok(undefined);
    }
    const counted = await countBitmap(state, entries, at);
    if (!counted.ok) return counted;
    const nameBytes = entries.getUint16(at + entryField.nameBytes);
    at += Math.ceil((entryField.fixedBytes + entries.getUint32(at + entryField.extraBytes) + nameBytes) / 8) * 8;
  }
  return ok(undefined);
}

async function countBitmap(state: CheckState, directory: DataView, at: number): Promise<Result<void, DiskFailure>> {
  const { geometry, file } = state;
  const offset = getU64(directory, at + entryField.tableOffset);
  const entries = directory.getUint32(at + entryField.tableEntries);
  if (!state.countTable('the table of a bitmap', offset, entries * 8)) return ok(undefined);
  const bytes = new Uint8Array(entries * 8);
  const read = await file.read(offset, bytes);
  if (!read.ok) return read;
  for (let entry = 0; entry < bytes.length; entry += 8) {
    const data = l2Offset(viewOf(bytes), entry);
    if (data === 0) continue;
    if (state.isInside(data, geometry.clusterBytes)) state.count(data, geometry.clusterBytes);
    else state.error('a bitmap lies outside the file', false);
  }
  return ok(undefined);
}
