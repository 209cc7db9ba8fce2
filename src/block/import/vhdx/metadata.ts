/** The metadata region: what the disk is like. Source: [MS-VHDX] 2.6. */

import { vhdxFileParameters, vhdxMetadata, vhdxMetadataGuid, vhdxMostDiskBytes } from '../../../spec/vhdx.ts';
import { ok, type Result } from '../../../support/result.ts';
import { guidText, isPowerOfTwo, startsWith, uint64, viewOf } from '../../binary.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged, refused } from '../image-failure.ts';
import type { Region } from './header.ts';

export interface DiskParameters {
  readonly diskBytes: number;
  readonly blockBytes: number;
  /** What guests address: 512 or 4096 bytes. */
  readonly sectorBytes: number;
}

type ItemName = keyof typeof vhdxMetadataGuid;

/** Bytes that are read of an item; of the others it is enough that they are known. */
const itemBytes: Readonly<Partial<Record<ItemName, number>>> = {
  fileParameters: vhdxFileParameters.bytes,
  diskBytes: 8,
  logicalSector: 4,
};

export async function readMetadata(file: BlockFile, region: Region): Promise<Result<DiskParameters, DiskFailure>> {
  const items = await readItems(file, region);
  if (!items.ok) return items;
  const [parameters, size, sector] = [
    items.value.get('fileParameters'),
    items.value.get('diskBytes'),
    items.value.get('logicalSector'),
  ];
  if (parameters === undefined || size === undefined || sector === undefined) {
    return damaged(file.name, 'it lacks required metadata');
  }
  if ((parameters.getUint32(vhdxFileParameters.flags, true) & vhdxFileParameters.hasParent) !== 0) {
    return refused(file.name, 'it only has the differences to a parent image; merge it into that one first');
  }
  const blockBytes = parameters.getUint32(vhdxFileParameters.blockBytes, true);
  const { leastBlockBytes, mostBlockBytes } = vhdxFileParameters;
  if (!isPowerOfTwo(blockBytes) || blockBytes < leastBlockBytes || blockBytes > mostBlockBytes) {
    return damaged(file.name, `a block of ${blockBytes} bytes is not possible`);
  }
  const sectorBytes = sector.getUint32(0, true);
  if (sectorBytes !== 512 && sectorBytes !== 4096) {
    return damaged(file.name, `a sector of ${sectorBytes} bytes is not possible`);
  }
  const diskBytes = uint64(size, 0);
  if (diskBytes > vhdxMostDiskBytes || diskBytes % sectorBytes !== 0) {
    return damaged(file.name, `a disk of ${diskBytes} bytes is not possible`);
  }
  return ok({ diskBytes, blockBytes, sectorBytes });
}

async function readItems(file: BlockFile, region: Region): Promise<Result<Map<ItemName, DataView>, DiskFailure>> {
  if (region.bytes < vhdxMetadata.tableBytes) return damaged(file.name, 'its metadata region is too small');
  const table = new Uint8Array(vhdxMetadata.tableBytes);
  const read = await file.read(region.offset, table);
  if (!read.ok) return read;
  if (!startsWith(table, vhdxMetadata.signature)) return damaged(file.name, 'its metadata has no signature');
  const view = viewOf(table);
  const count = view.getUint16(vhdxMetadata.count, true);
  if (count > vhdxMetadata.mostEntries) return damaged(file.name, `it has ${count} items of metadata, too many`);
  const items = new Map<ItemName, DataView>();
  for (let index = 0; index < count; index++) {
    const at = vhdxMetadata.firstEntry + index * vhdxMetadata.entryBytes;
    const guid = guidText(table.subarray(at, at + 16));
    const name = (Object.keys(vhdxMetadataGuid) as ItemName[]).find((key) => vhdxMetadataGuid[key] === guid);
    const isRequired = (view.getUint32(at + vhdxMetadata.flags, true) & vhdxMetadata.required) !== 0;
    if (name === undefined && isRequired) {
      return refused(file.name, `it has required metadata of the unknown kind ${guid}`);
    }
    const bytes = name === undefined ? undefined : itemBytes[name];
    if (name === undefined || bytes === undefined) continue;
    const offset = view.getUint32(at + vhdxMetadata.offset, true);
    if (view.getUint32(at + vhdxMetadata.length, true) < bytes || offset + bytes > region.bytes) {
      return damaged(file.name, 'its metadata is not where it can be');
    }
    const item = new Uint8Array(bytes);
    const readItem = await file.read(region.offset + offset, item);
    if (!readItem.ok) return readItem;
    items.set(name, viewOf(item));
  }
  return ok(items);
}
