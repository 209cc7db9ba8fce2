/** VMware disks: a descriptor file with its extents, or one extent that carries its descriptor. */

import { vmdkEsxSparseMagic, vmdkHeader } from '../../../spec/vmdk.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { utf8OfLatin1, viewOf } from '../../binary.ts';
import type { BlockFile, BlockFiles, Codecs } from '../../block-file.ts';
import { type Disk, sectorBytes } from '../../disk.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged, refused } from '../image-failure.ts';
import type { Importer } from '../importer.ts';
import { closeAll, type Place, ReadOnlyImage } from '../read-only-image.ts';
import { type ExtentLine, isDescriptor, mostDescriptorBytes, parseDescriptor } from './descriptor.ts';
import { SparseExtent } from './sparse-extent.ts';

/** Each of them may be a file that stays open. */
const mostExtents = 4096;

/** A part of the disk; `locate` counts from its begin. */
interface Part {
  readonly start: number;
  readonly end: number;
  locate(offset: number, length: number): Promise<Result<Place, DiskFailure>>;
}

export const vmdk: Importer = {
  name: 'vmdk',

  probe(header) {
    if (header.length < 4) return false;
    const magic = viewOf(header).getUint32(0, true);
    return magic === vmdkHeader.magic || magic === vmdkEsxSparseMagic || isDescriptor(header);
  },

  async open(file, files, codecs) {
    const magic = new Uint8Array(4);
    const read = await file.read(0, magic);
    if (!read.ok) return read;
    if (viewOf(magic).getUint32(0, true) === vmdkHeader.magic) return openSingle(file, codecs);
    if (viewOf(magic).getUint32(0, true) === vmdkEsxSparseMagic) return refused(file.name, esxSparse);
    return openDescribed(file, files, codecs);
  },
};

const differences = 'it only has the differences to a parent image; clone it to a disk of its own first';
const esxSparse = 'it is in the sparse format of ESX server; clone it there to another format first';

async function openSingle(file: BlockFile, codecs: Codecs): Promise<Result<Disk, DiskFailure>> {
  const extent = await SparseExtent.open(file, codecs);
  if (!extent.ok) return extent;
  const descriptor = await extent.value.descriptor();
  if (!descriptor.ok) return descriptor;
  // What it says of the extent is known already; whether the disk has a parent is not.
  if (descriptor.value !== undefined && parseDescriptor(descriptor.value).hasParent) {
    return refused(file.name, differences);
  }
  return ok(
    new ReadOnlyImage({
      name: file.name,
      sizeBytes: extent.value.capacityBytes,
      files: [file],
      locate: (offset, length) => extent.value.locate(offset, length),
    }),
  );
}

async function openDescribed(file: BlockFile, files: BlockFiles, codecs: Codecs): Promise<Result<Disk, DiskFailure>> {
  const size = await file.size();
  if (!size.ok) return size;
  if (size.value > mostDescriptorBytes) return damaged(file.name, 'it is neither an extent nor a descriptor');
  const bytes = new Uint8Array(size.value);
  const read = await file.read(0, bytes);
  if (!read.ok) return read;
  if (!isDescriptor(bytes)) return damaged(file.name, 'it is neither an extent nor a descriptor');
  const descriptor = parseDescriptor(bytes);
  if (descriptor.hasParent) return refused(file.name, differences);
  if (descriptor.extents.length === 0) return damaged(file.name, 'its descriptor names no extent');
  if (descriptor.extents.length > mostExtents) return refused(file.name, `it has more than ${mostExtents} extents`);
  const opened = new Map<string, BlockFile>();
  const parts = await openParts(file.name, descriptor.extents, opened, files, codecs);
  if (!parts.ok) {
    await closeAll([...opened.values()]);
    return parts;
  }
  return ok(
    new ReadOnlyImage({
      name: file.name,
      sizeBytes: parts.value.at(-1)?.end ?? 0,
      files: [file, ...opened.values()],
      locate(offset, length) {
        const part = partAt(parts.value, offset);
        return part.locate(offset - part.start, Math.min(length, part.end - offset));
      },
    }),
  );
}

async function openParts(
  name: string,
  lines: readonly ExtentLine[],
  opened: Map<string, BlockFile>,
  files: BlockFiles,
  codecs: Codecs,
): Promise<Result<readonly Part[], DiskFailure>> {
  const parts: Part[] = [];
  let start = 0;
  for (const line of lines) {
    const end = start + line.sectors * sectorBytes;
    if (!Number.isSafeInteger(end)) return damaged(name, 'its extents are larger than any disk');
    const locate = await openExtent(name, line, opened, files, codecs);
    if (!locate.ok) return locate;
    if (end > start) parts.push({ start, end, locate: locate.value });
    start = end;
  }
  return ok(parts);
}

async function openExtent(
  name: string,
  line: ExtentLine,
  opened: Map<string, BlockFile>,
  files: BlockFiles,
  codecs: Codecs,
): Promise<Result<Part['locate'], DiskFailure>> {
  const { type, sectors, firstSector } = line;
  const path = utf8OfLatin1(line.path);
  if (path === undefined) return refused(name, 'the name of one of its extents is not UTF-8 text; rename it');
  if (line.access === 'NOACCESS') return refused(name, `its extent ${path} may not be accessed`);
  if (!isBeside(path)) return refused(name, `its extent ${path} is not in the folder of the image; put it there`);
  if (type === 'ZERO') return ok(async (_offset, length) => ok({ kind: 'hole', length }));
  if (type === 'VMFSSPARSE' || type === 'SESPARSE') return refused(name, esxSparse);
  if (type !== 'FLAT' && type !== 'VMFS' && type !== 'SPARSE')
    return refused(name, `its extents of type ${type} are unknown`);
  if (path === '') return damaged(name, `its descriptor has an extent of type ${type} without a file`);
  const found = opened.get(path);
  const file: Result<BlockFile, DiskFailure> = found === undefined ? await files.open(path, 'read', name) : ok(found);
  if (!file.ok) return fail(file.error.kind, `the image ${name} cannot be opened: ${file.error.message}`);
  opened.set(path, file.value);
  const bytes = sectors * sectorBytes;
  if (type === 'SPARSE') {
    const extent = await SparseExtent.open(file.value, codecs);
    if (!extent.ok) return extent;
    if (extent.value.capacityBytes !== bytes) {
      return damaged(name, `its extent ${path} has ${extent.value.capacityBytes} bytes, not ${bytes} as described`);
    }
    return ok((offset, length) => extent.value.locate(offset, length));
  }
  const begin = firstSector * sectorBytes;
  const size = await file.value.size();
  if (!size.ok) return size;
  if (begin + bytes > size.value) return damaged(name, `its extent ${path} ends before its ${bytes} bytes`);
  return ok(async (offset, length) => ok({ kind: 'stored', length, file: file.value, at: begin + offset }));
}

/** An image from elsewhere must not get at files of this host that its user did not mean. */
function isBeside(path: string): boolean {
  return !path.split(/[/\\]/).includes('..') && !/^([/\\]|[A-Za-z]:)/.test(path);
}

/** The part that has `offset`, by bisection. */
function partAt(parts: readonly Part[], offset: number): Part {
  let [low, high] = [0, parts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((parts[middle] as Part).start <= offset) low = middle;
    else high = middle - 1;
  }
  return parts[low] as Part;
}
