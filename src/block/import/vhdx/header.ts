/** The headers and the region table in the first mebibyte. */

import {
  vhdxHeader,
  vhdxLayout,
  vhdxLog,
  vhdxLogVersion,
  vhdxRegion,
  vhdxRegionGuid,
  vhdxVersion,
} from '../../../spec/vhdx.ts';
import { ok, type Result } from '../../../support/result.ts';
import { guidText, isZero, uint64, viewOf } from '../../binary.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged, refused } from '../image-failure.ts';
import { isIntact } from './structure.ts';

export interface LogPlace {
  readonly offset: number;
  readonly bytes: number;
  /** Entries with another one are of earlier times. */
  readonly guid: string;
}

export interface Region {
  readonly offset: number;
  readonly bytes: number;
}

/** Finds the log by the current header. @returns undefined if there is nothing to replay */
export async function readHeader(
  file: BlockFile,
  fileBytes: number,
): Promise<Result<LogPlace | undefined, DiskFailure>> {
  let current: Uint8Array | undefined;
  let sequence = -1n;
  for (const offset of vhdxLayout.headers) {
    const bytes = new Uint8Array(vhdxLayout.headerBytes);
    const read = await file.read(offset, bytes);
    if (!read.ok) return read;
    if (!isIntact(bytes, vhdxHeader.signature, vhdxHeader.checksum)) continue;
    const number = viewOf(bytes).getBigUint64(vhdxHeader.sequence, true);
    // Some tools write the same header twice; then the first is as good as the second.
    if (number <= sequence) continue;
    [current, sequence] = [bytes, number];
  }
  if (current === undefined) return damaged(file.name, 'neither of its headers is intact');
  const view = viewOf(current);
  const version = view.getUint16(vhdxHeader.version, true);
  if (version !== vhdxVersion) return refused(file.name, `it is of version ${version}, not ${vhdxVersion}`);
  const guid = current.subarray(vhdxHeader.logGuid, vhdxHeader.logGuid + 16);
  if (isZero(guid)) return ok(undefined);
  const logVersion = view.getUint16(vhdxHeader.logVersion, true);
  if (logVersion !== vhdxLogVersion) return refused(file.name, `its log is of the unknown version ${logVersion}`);
  const offset = uint64(view, vhdxHeader.logOffset);
  const bytes = view.getUint32(vhdxHeader.logBytes, true);
  const inFile = offset >= vhdxLayout.alignment && offset + bytes <= fileBytes;
  if (!inFile || bytes === 0 || bytes % vhdxLog.sectorBytes !== 0) {
    return damaged(file.name, 'its log is not where it can be');
  }
  return ok({ offset, bytes, guid: guidText(guid) });
}

/** The two regions that every image has, from the first intact copy of the region table. */
export async function readRegions(
  file: BlockFile,
  fileBytes: number,
): Promise<Result<{ blockTable: Region; metadata: Region }, DiskFailure>> {
  const table = await readRegionTable(file);
  if (!table.ok) return table;
  const view = viewOf(table.value);
  const count = view.getUint32(vhdxRegion.count, true);
  if (count > vhdxRegion.mostEntries) return damaged(file.name, `it has ${count} regions, more than there can be`);
  const found = new Map<string, Region>();
  for (let index = 0; index < count; index++) {
    const at = vhdxRegion.firstEntry + index * vhdxRegion.entryBytes;
    const guid = guidText(table.value.subarray(at, at + 16));
    const region = {
      offset: uint64(view, at + vhdxRegion.offset),
      bytes: view.getUint32(at + vhdxRegion.length, true),
    };
    const isRequired = view.getUint32(at + vhdxRegion.required, true) !== 0;
    const isKnown = Object.values<string>(vhdxRegionGuid).includes(guid);
    if (!isKnown && isRequired) return refused(file.name, `it has a required region of the unknown kind ${guid}`);
    if (!isKnown) continue;
    if (found.has(guid)) return damaged(file.name, `it has two regions of the kind ${guid}`);
    const isAligned = region.offset % vhdxLayout.alignment === 0 && region.offset >= vhdxLayout.alignment;
    if (!isAligned || region.offset + region.bytes > fileBytes) {
      return damaged(file.name, 'one of its regions is not where it can be');
    }
    found.set(guid, region);
  }
  const blockTable = found.get(vhdxRegionGuid.blockTable);
  const metadata = found.get(vhdxRegionGuid.metadata);
  if (blockTable === undefined || metadata === undefined) return damaged(file.name, 'it lacks a required region');
  return ok({ blockTable, metadata });
}

async function readRegionTable(file: BlockFile): Promise<Result<Uint8Array, DiskFailure>> {
  for (const offset of vhdxLayout.regionTables) {
    const bytes = new Uint8Array(vhdxLayout.regionTableBytes);
    const read = await file.read(offset, bytes);
    if (!read.ok) return read;
    if (isIntact(bytes, vhdxRegion.signature, vhdxRegion.checksum)) return ok(bytes);
  }
  return damaged(file.name, 'neither of its region tables is intact');
}
