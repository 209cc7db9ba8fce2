/** Hyper-V disks: headers, a log, regions with metadata and the table of blocks, and the blocks. */

import { vhdxBlockState, vhdxBlockTable, vhdxLayout, vhdxSignature } from '../../../spec/vhdx.ts';
import { ok, type Result } from '../../../support/result.ts';
import { startsWith } from '../../binary.ts';
import type { BlockFile } from '../../block-file.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged } from '../image-failure.ts';
import type { Importer } from '../importer.ts';
import { type Place, ReadOnlyImage } from '../read-only-image.ts';
import { TableCache } from '../table-cache.ts';
import { readHeader, readRegions } from './header.ts';
import { readLog } from './log.ts';
import { readMetadata } from './metadata.ts';
import { PatchedFile } from './patched-file.ts';

interface Image {
  /** With the changes of the log. */
  readonly file: BlockFile;
  readonly fileBytes: number;
  readonly table: TableCache;
  readonly tableOffset: number;
  readonly blockBytes: number;
  /** Payload blocks whose entries lie between two entries of sector bitmaps. */
  readonly chunkBlocks: number;
}

export const vhdx: Importer = {
  name: 'vhdx',

  probe: (header) => startsWith(header, vhdxSignature),

  async open(original) {
    const signature = new Uint8Array(vhdxSignature.length);
    const read = await original.read(0, signature);
    if (!read.ok) return read;
    if (!startsWith(signature, vhdxSignature)) return damaged(original.name, 'it does not have the signature of VHDX');
    const replayed = await replay(original);
    if (!replayed.ok) return replayed;
    const { file, fileBytes } = replayed.value;
    const regions = await readRegions(file, fileBytes);
    if (!regions.ok) return regions;
    const metadata = await readMetadata(file, regions.value.metadata);
    if (!metadata.ok) return metadata;
    const { diskBytes, blockBytes, sectorBytes } = metadata.value;
    const { blockTable } = regions.value;
    const chunkBlocks = (vhdxBlockTable.chunkSectors * sectorBytes) / blockBytes;
    const blocks = Math.ceil(diskBytes / blockBytes);
    if (entryOf(Math.max(0, blocks - 1), chunkBlocks) >= blockTable.bytes / vhdxBlockTable.entryBytes) {
      return damaged(file.name, 'its block table is too small for its disk');
    }
    const table = new TableCache(file);
    const image = { file, fileBytes, table, tableOffset: blockTable.offset, blockBytes, chunkBlocks };
    return ok(
      new ReadOnlyImage({
        name: file.name,
        sizeBytes: diskBytes,
        blockBytes: sectorBytes,
        files: [file],
        locate: (offset, length) => locate(image, offset, length),
      }),
    );
  },
};

/** The file as it is once its log, if it has one, has been replayed. */
async function replay(file: BlockFile): Promise<Result<{ file: BlockFile; fileBytes: number }, DiskFailure>> {
  const size = await file.size();
  if (!size.ok) return size;
  const place = await readHeader(file, size.value);
  if (!place.ok) return place;
  if (place.value === undefined) return ok({ file, fileBytes: size.value });
  const log = await readLog(file, size.value, place.value);
  if (!log.ok) return log;
  const { patches, fileBytes } = log.value;
  return ok({ file: new PatchedFile(file, patches, fileBytes), fileBytes });
}

function entryOf(block: number, chunkBlocks: number): number {
  return block + Math.floor(block / chunkBlocks);
}

async function locate(image: Image, offset: number, length: number): Promise<Result<Place, DiskFailure>> {
  const { file, blockBytes } = image;
  const block = Math.floor(offset / blockBytes);
  const within = offset - block * blockBytes;
  const run = Math.min(length, blockBytes - within);
  const entryAt = image.tableOffset + entryOf(block, image.chunkBlocks) * vhdxBlockTable.entryBytes;
  const entry = await image.table.uint64(entryAt);
  if (!entry.ok) return entry;
  const state = Number(entry.value & BigInt(vhdxBlockTable.stateMask));
  switch (state) {
    case vhdxBlockState.notPresent:
    case vhdxBlockState.undefined:
      return ok({ kind: 'hole', length: run });
    case vhdxBlockState.zero:
    case vhdxBlockState.unmapped:
    case vhdxBlockState.unmappedOld:
      return ok({ kind: 'zero', length: run });
    case vhdxBlockState.present: {
      const begin = Number(entry.value >> vhdxBlockTable.offsetShift) * vhdxLayout.alignment;
      const at = begin + within;
      if (begin < vhdxLayout.alignment || at + run > image.fileBytes) {
        return damaged(file.name, `block ${block} is not where it can be`);
      }
      return ok({ kind: 'stored', length: run, file, at });
    }
    default:
      return damaged(file.name, `block ${block} is in the state ${state}, which it cannot be in`);
  }
}
