/** VirtualBox disk images: a header, a map with a number for each block, and the blocks. */

import { vdiHeader, vdiMap, vdiSignature, vdiType, vdiVersion } from '../../spec/vdi.ts';
import { ok, type Result } from '../../support/result.ts';
import { isPowerOfTwo, isZero, uint64, viewOf } from '../binary.ts';
import type { BlockFile } from '../block-file.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { damaged, refused } from './image-failure.ts';
import type { Importer } from './importer.ts';
import { type Place, ReadOnlyImage } from './read-only-image.ts';
import { TableCache } from './table-cache.ts';

interface Header {
  readonly diskBytes: number;
  readonly blockBytes: number;
  readonly mapOffset: number;
  readonly dataOffset: number;
}

export const vdi: Importer = {
  name: 'vdi',

  probe(header) {
    const field = vdiHeader.signature;
    return header.length >= field + 4 && viewOf(header).getUint32(field, true) === vdiSignature;
  },

  async open(file) {
    const fileBytes = await file.size();
    if (!fileBytes.ok) return fileBytes;
    const bytes = new Uint8Array(vdiHeader.bytes);
    const read = await file.read(0, bytes);
    if (!read.ok) return read;
    const header = parseHeader(file.name, bytes, fileBytes.value);
    if (!header.ok) return header;
    const map = new TableCache(file);
    return ok(
      new ReadOnlyImage({
        name: file.name,
        sizeBytes: header.value.diskBytes,
        files: [file],
        locate: (offset, length) => locate(file, fileBytes.value, header.value, map, offset, length),
      }),
    );
  },
};

function parseHeader(name: string, bytes: Uint8Array, fileBytes: number): Result<Header, DiskFailure> {
  const view = viewOf(bytes);
  const field = (at: number): number => view.getUint32(at, true);
  if (field(vdiHeader.signature) !== vdiSignature)
    return damaged(name, 'it does not have the signature of a VDI image');
  const version = field(vdiHeader.version);
  if (version !== vdiVersion) return refused(name, `it is of version ${version >>> 16}.${version & 0xffff}, not 1.1`);
  const type = field(vdiHeader.type);
  if (type === vdiType.difference || type === vdiType.undo) return refused(name, hasParent);
  if (type !== vdiType.dynamic && type !== vdiType.fixed) return refused(name, `its type ${type} is unknown`);
  for (const uuid of [vdiHeader.linkUuid, vdiHeader.parentUuid]) {
    if (!isZero(bytes.subarray(uuid, uuid + vdiHeader.uuidBytes))) return refused(name, hasParent);
  }
  const sector = field(vdiHeader.sectorBytes);
  if (sector !== sectorBytes) return refused(name, `its sectors have ${sector} bytes, not ${sectorBytes}`);
  if (field(vdiHeader.blockExtraBytes) !== 0) return refused(name, 'its blocks carry additional data');
  const blockBytes = field(vdiHeader.blockBytes);
  if (!isPowerOfTwo(blockBytes) || blockBytes < sectorBytes) {
    return damaged(name, `a block of ${blockBytes} bytes is not possible`);
  }
  const [mapOffset, dataOffset] = [field(vdiHeader.mapOffset), field(vdiHeader.dataOffset)];
  if (mapOffset % sectorBytes !== 0 || dataOffset % sectorBytes !== 0) {
    return damaged(name, 'its map or its data does not begin at a sector');
  }
  const blockCount = field(vdiHeader.blockCount);
  // Tools write sizes that are not whole sectors; the disk has the whole sector.
  const diskBytes = Math.ceil(uint64(view, vdiHeader.diskBytes) / sectorBytes) * sectorBytes;
  if (diskBytes > blockCount * blockBytes) {
    return damaged(name, `its ${blockCount} blocks are fewer than a disk of ${diskBytes} bytes has`);
  }
  if (mapOffset + blockCount * vdiMap.entryBytes > fileBytes) return damaged(name, 'its map reaches beyond its end');
  return ok({ diskBytes, blockBytes, mapOffset, dataOffset });
}

const hasParent =
  'it only has the differences to another image; merge it into that one first, by cloning it in VirtualBox';

async function locate(
  file: BlockFile,
  fileBytes: number,
  header: Header,
  map: TableCache,
  offset: number,
  length: number,
): Promise<Result<Place, DiskFailure>> {
  const block = Math.floor(offset / header.blockBytes);
  const within = offset - block * header.blockBytes;
  const run = Math.min(length, header.blockBytes - within);
  const entry = await map.uint32(header.mapOffset + block * vdiMap.entryBytes);
  if (!entry.ok) return entry;
  if (entry.value === vdiMap.unallocated) return ok({ kind: 'hole', length: run });
  if (entry.value === vdiMap.discarded) return ok({ kind: 'zero', length: run });
  const at = header.dataOffset + entry.value * header.blockBytes + within;
  if (at + run > fileBytes) return damaged(file.name, `block ${block} lies beyond its end`);
  return ok({ kind: 'stored', length: run, file, at });
}
