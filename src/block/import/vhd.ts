/** Virtual PC disks: fixed ones are the disk and a footer; dynamic ones have a table with the place of each block. */

import { vhdDynamicHeader, vhdFooter, vhdLargestGeometry, vhdSizedByBytes, vhdTable, vhdType } from '../../spec/vhd.ts';
import { ok, type Result } from '../../support/result.ts';
import { isPowerOfTwo, latin1, startsWith, viewOf } from '../binary.ts';
import type { BlockFile } from '../block-file.ts';
import { type Disk, sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { damaged, refused } from './image-failure.ts';
import type { Importer } from './importer.ts';
import { type Place, ReadOnlyImage } from './read-only-image.ts';
import { TableCache } from './table-cache.ts';

/** A fixed image is known by its end alone, so `probe` finds dynamic ones only; `open` takes both. */
export const vhd: Importer = {
  name: 'vhd',

  probe: (header) => startsWith(header, vhdFooter.cookie),

  async open(file) {
    const size = await file.size();
    if (!size.ok) return size;
    const footer = await readFooter(file, size.value);
    if (!footer.ok) return footer;
    const view = viewOf(footer.value);
    const version = view.getUint16(vhdFooter.version);
    if (version !== vhdFooter.major) return refused(file.name, `it is of version ${version}, not ${vhdFooter.major}`);
    const diskBytes = sizeOfDisk(footer.value);
    switch (view.getUint32(vhdFooter.type)) {
      case vhdType.fixed:
        return openFixed(file, size.value, diskBytes);
      case vhdType.dynamic:
        return openDynamic(file, size.value, diskBytes, Number(view.getBigUint64(vhdFooter.dataOffset)));
      case vhdType.difference:
        return refused(file.name, 'it only has the differences to another image; merge it into that one first');
      default:
        return refused(file.name, `its type ${view.getUint32(vhdFooter.type)} is unknown`);
    }
  },
};

/** The footer at the end, or its copy at the begin of a dynamic image. */
async function readFooter(file: BlockFile, fileBytes: number): Promise<Result<Uint8Array, DiskFailure>> {
  let problem = 'it does not have the signature of a VHD image';
  for (const at of [fileBytes - vhdFooter.bytes, 0]) {
    if (at < 0) continue;
    const footer = new Uint8Array(vhdFooter.bytes);
    const read = await file.read(at, footer);
    if (!read.ok) return read;
    if (!startsWith(footer, vhdFooter.cookie)) continue;
    if (hasChecksum(footer, vhdFooter.checksum)) return ok(footer);
    problem = 'the checksum of its footer does not match';
  }
  return damaged(file.name, problem);
}

function hasChecksum(bytes: Uint8Array, field: number): boolean {
  let sum = 0;
  bytes.forEach((byte, at) => {
    if (at < field || at >= field + 4) sum += byte;
  });
  return viewOf(bytes).getUint32(field) === ~sum >>> 0;
}

/** Virtual PC and QEMU go by the geometry, which may be a little less than the number of bytes; others do not. */
function sizeOfDisk(footer: Uint8Array): number {
  const view = viewOf(footer);
  const [heads, sectors] = [view.getUint8(vhdFooter.heads), view.getUint8(vhdFooter.sectorsPerTrack)];
  const geometry = view.getUint16(vhdFooter.cylinders) * heads * sectors;
  const creator = latin1(footer.subarray(vhdFooter.creator, vhdFooter.creator + vhdFooter.creatorBytes));
  const byBytes = vhdSizedByBytes.some((name) => name === creator);
  if (!byBytes && geometry !== vhdLargestGeometry) return geometry * sectorBytes;
  return Math.floor(Number(view.getBigUint64(vhdFooter.currentBytes)) / sectorBytes) * sectorBytes;
}

function openFixed(file: BlockFile, fileBytes: number, diskBytes: number): Result<Disk, DiskFailure> {
  if (diskBytes + vhdFooter.bytes > fileBytes)
    return damaged(file.name, `it ends before its ${diskBytes} bytes of disk`);
  return ok(
    new ReadOnlyImage({
      name: file.name,
      sizeBytes: diskBytes,
      files: [file],
      locate: async (at, length) => ok({ kind: 'stored', length, file, at }),
    }),
  );
}

async function openDynamic(
  file: BlockFile,
  fileBytes: number,
  diskBytes: number,
  headerOffset: number,
): Promise<Result<Disk, DiskFailure>> {
  if (headerOffset + vhdDynamicHeader.bytes > fileBytes) return damaged(file.name, 'its header lies beyond its end');
  const header = new Uint8Array(vhdDynamicHeader.bytes);
  const read = await file.read(headerOffset, header);
  if (!read.ok) return read;
  if (!startsWith(header, vhdDynamicHeader.cookie)) return damaged(file.name, 'its dynamic header has no signature');
  if (!hasChecksum(header, vhdDynamicHeader.checksum)) {
    return damaged(file.name, 'the checksum of its dynamic header does not match');
  }
  const view = viewOf(header);
  const tableOffset = Number(view.getBigUint64(vhdDynamicHeader.tableOffset));
  const entries = view.getUint32(vhdDynamicHeader.tableEntries);
  const blockBytes = view.getUint32(vhdDynamicHeader.blockBytes);
  if (!isPowerOfTwo(blockBytes) || blockBytes < sectorBytes) {
    return damaged(file.name, `a block of ${blockBytes} bytes is not possible`);
  }
  if (diskBytes > entries * blockBytes) return damaged(file.name, `its ${entries} blocks are fewer than its disk has`);
  if (tableOffset % sectorBytes !== 0) return damaged(file.name, 'its block table does not begin at a sector');
  if (tableOffset + entries * vhdTable.entryBytes > fileBytes) {
    return damaged(file.name, 'its block table reaches beyond its end');
  }
  const table = new TableCache(file);
  return ok(
    new ReadOnlyImage({
      name: file.name,
      sizeBytes: diskBytes,
      files: [file],
      locate: (offset, length) => locate({ file, fileBytes, table, tableOffset, blockBytes }, offset, length),
    }),
  );
}

interface DynamicImage {
  readonly file: BlockFile;
  readonly fileBytes: number;
  readonly table: TableCache;
  readonly tableOffset: number;
  readonly blockBytes: number;
}

async function locate(image: DynamicImage, offset: number, length: number): Promise<Result<Place, DiskFailure>> {
  const block = Math.floor(offset / image.blockBytes);
  const within = offset - block * image.blockBytes;
  const run = Math.min(length, image.blockBytes - within);
  const entry = await image.table.uint32(image.tableOffset + block * vhdTable.entryBytes, false);
  if (!entry.ok) return entry;
  if (entry.value === vhdTable.unallocated) return ok({ kind: 'hole', length: run });
  // One bit a sector says whether it was written; what was not is zeroes in the block, too.
  const bitmapBytes = Math.ceil(image.blockBytes / sectorBytes / 8 / sectorBytes) * sectorBytes;
  const at = entry.value * sectorBytes + bitmapBytes + within;
  if (at + run > image.fileBytes) return damaged(image.file.name, `block ${block} lies beyond its end`);
  return ok({ kind: 'stored', length: run, file: image.file, at });
}
