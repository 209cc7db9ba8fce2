/** A hosted sparse extent: a grain directory, grain tables, and grains, which may be compressed. */

import {
  vmdkCompression,
  vmdkDirectoryInFooter,
  vmdkFlag,
  vmdkGrain,
  vmdkHeader,
  vmdkLineEnds,
  vmdkMarker,
} from '../../../spec/vmdk.ts';
import { ok, type Result } from '../../../support/result.ts';
import { isPowerOfTwo, uint64, viewOf } from '../../binary.ts';
import type { BlockFile, Codecs } from '../../block-file.ts';
import { sectorBytes } from '../../disk.ts';
import type { DiskFailure } from '../../disk-failure.ts';
import { damaged, refused } from '../image-failure.ts';
import type { Place } from '../read-only-image.ts';
import { TableCache } from '../table-cache.ts';
import { mostDescriptorBytes } from './descriptor.ts';
import { GrainCache } from './grain-cache.ts';

/** Larger grains would be possible, but nobody makes them; compressed ones are unpacked as a whole. */
const mostGrainBytes = 1 << 30;
const mostPackedGrainBytes = 16 << 20;

interface Header {
  readonly capacityBytes: number;
  readonly grainBytes: number;
  readonly tableEntries: number;
  readonly directoryOffset: number;
  readonly hasZeroGrains: boolean;
  readonly isCompressed: boolean;
  readonly descriptorOffset: number;
  readonly descriptorBytes: number;
}

export class SparseExtent {
  readonly #file: BlockFile;
  readonly #fileBytes: number;
  readonly #header: Header;
  readonly #tables: TableCache;
  readonly #grains: GrainCache;

  private constructor(file: BlockFile, fileBytes: number, header: Header, codecs: Codecs) {
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#header = header;
    this.#tables = new TableCache(file);
    this.#grains = new GrainCache(file, fileBytes, header.grainBytes, codecs);
  }

  static async open(file: BlockFile, codecs: Codecs): Promise<Result<SparseExtent, DiskFailure>> {
    const size = await file.size();
    if (!size.ok) return size;
    const bytes = await readHeader(file, size.value);
    if (!bytes.ok) return bytes;
    const header = parseHeader(file.name, bytes.value, size.value);
    return header.ok ? ok(new SparseExtent(file, size.value, header.value, codecs)) : header;
  }

  get capacityBytes(): number {
    return this.#header.capacityBytes;
  }

  /** The embedded descriptor; extents that belong to a descriptor file have none. */
  async descriptor(): Promise<Result<Uint8Array | undefined, DiskFailure>> {
    const { descriptorOffset, descriptorBytes } = this.#header;
    if (descriptorOffset === 0 || descriptorBytes === 0) return ok(undefined);
    const bytes = new Uint8Array(descriptorBytes);
    const read = await this.#file.read(descriptorOffset, bytes);
    return read.ok ? ok(bytes) : read;
  }

  async locate(offset: number, length: number): Promise<Result<Place, DiskFailure>> {
    const { grainBytes, tableEntries, directoryOffset, hasZeroGrains, isCompressed, capacityBytes } = this.#header;
    const tableSpan = grainBytes * tableEntries;
    const tableIndex = Math.floor(offset / tableSpan);
    const table = await this.#tables.uint32(directoryOffset + tableIndex * vmdkGrain.entryBytes);
    if (!table.ok) return table;
    if (table.value === vmdkGrain.unallocated) {
      return ok({ kind: 'hole', length: Math.min(length, (tableIndex + 1) * tableSpan - offset) });
    }
    const tableOffset = table.value * sectorBytes;
    if (tableOffset + tableEntries * vmdkGrain.entryBytes > this.#fileBytes) {
      return damaged(this.#file.name, `its grain table ${tableIndex} lies beyond its end`);
    }
    const index = Math.floor(offset / grainBytes);
    const within = offset - index * grainBytes;
    const run = Math.min(length, grainBytes - within);
    const sector = await this.#tables.uint32(tableOffset + (index % tableEntries) * vmdkGrain.entryBytes);
    if (!sector.ok) return sector;
    if (sector.value === vmdkGrain.unallocated) return ok({ kind: 'hole', length: run });
    if (sector.value === vmdkGrain.zero && hasZeroGrains) return ok({ kind: 'zero', length: run });
    const at = sector.value * sectorBytes;
    if (isCompressed) {
      const grain = { index, at, diskBytes: Math.min(grainBytes, capacityBytes - index * grainBytes) };
      return ok({ kind: 'packed', length: run, from: within, unpack: () => this.#grains.get(grain) });
    }
    if (at + within + run > this.#fileBytes) return damaged(this.#file.name, `its grain ${index} lies beyond its end`);
    return ok({ kind: 'stored', length: run, file: this.#file, at: at + within });
  }
}

/** The header that counts: a stream has the complete one in its footer. */
async function readHeader(file: BlockFile, fileBytes: number): Promise<Result<Uint8Array, DiskFailure>> {
  const header = new Uint8Array(vmdkHeader.bytes);
  const read = await file.read(0, header);
  if (!read.ok) return read;
  if (viewOf(header).getBigUint64(vmdkHeader.grainDirectory, true) !== vmdkDirectoryInFooter) return ok(header);
  // At the end: the footer's marker, the footer, and the marker of the end of the stream.
  const end = new Uint8Array(2 * vmdkMarker.bytes + vmdkHeader.bytes);
  const start = Math.floor(fileBytes / sectorBytes) * sectorBytes - end.length;
  if (start < 0) return damaged(file.name, 'it ends before its footer');
  const readEnd = await file.read(start, end);
  if (!readEnd.ok) return readEnd;
  const endMarker = vmdkMarker.bytes + vmdkHeader.bytes;
  if (!isMarker(end, 0, vmdkMarker.footer) || !isMarker(end, endMarker, vmdkMarker.endOfStream)) {
    return damaged(file.name, 'it does not end with a footer; its transfer may not have been complete');
  }
  return ok(end.slice(vmdkMarker.bytes, endMarker));
}

function isMarker(bytes: Uint8Array, at: number, type: number): boolean {
  const view = viewOf(bytes);
  return view.getUint32(at + vmdkMarker.size, true) === 0 && view.getUint32(at + vmdkMarker.type, true) === type;
}

function parseHeader(name: string, bytes: Uint8Array, fileBytes: number): Result<Header, DiskFailure> {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== vmdkHeader.magic) return damaged(name, 'it does not have the signature of an extent');
  const version = view.getUint32(vmdkHeader.version, true);
  if (version < 1 || version > vmdkHeader.lastVersion) return refused(name, `its version ${version} is unknown`);
  const flags = view.getUint32(vmdkHeader.flags, true);
  const lineEnds = vmdkLineEnds.every((byte, index) => bytes[vmdkHeader.lineEnds + index] === byte);
  if ((flags & vmdkFlag.lineEndsValid) !== 0 && !lineEnds) {
    return damaged(name, 'a transfer in text mode has changed it; transfer it again in binary mode');
  }
  const compression = view.getUint16(vmdkHeader.compression, true);
  const isCompressed = (flags & vmdkFlag.compressed) !== 0;
  const known = isCompressed ? vmdkCompression.deflate : vmdkCompression.none;
  if (compression !== known || (isCompressed && (flags & vmdkFlag.markers) === 0)) {
    return refused(name, 'the way it is compressed is unknown');
  }
  const grainBytes = uint64(view, vmdkHeader.grainSize) * sectorBytes;
  if (!isPowerOfTwo(grainBytes) || grainBytes > mostGrainBytes) {
    return damaged(name, `a grain of ${grainBytes} bytes is not possible`);
  }
  if (isCompressed && grainBytes > mostPackedGrainBytes) {
    return refused(name, `its compressed grains of ${grainBytes} bytes are too large`);
  }
  const tableEntries = view.getUint32(vmdkHeader.grainTableEntries, true);
  if (tableEntries === 0 || tableEntries > vmdkGrain.mostTableEntries) {
    return damaged(name, `a grain table of ${tableEntries} entries is not possible`);
  }
  const capacityBytes = uint64(view, vmdkHeader.capacity) * sectorBytes;
  const directoryOffset = uint64(view, vmdkHeader.grainDirectory) * sectorBytes;
  const directoryBytes = Math.ceil(capacityBytes / (grainBytes * tableEntries)) * vmdkGrain.entryBytes;
  if (directoryOffset + directoryBytes > fileBytes) return damaged(name, 'its grain directory reaches beyond its end');
  const descriptorOffset = uint64(view, vmdkHeader.descriptorOffset) * sectorBytes;
  const descriptorBytes = uint64(view, vmdkHeader.descriptorSize) * sectorBytes;
  if (
    descriptorOffset !== 0 &&
    (descriptorBytes > mostDescriptorBytes || descriptorOffset + descriptorBytes > fileBytes)
  ) {
    return damaged(name, 'its descriptor reaches beyond its end or is too large');
  }
  const hasZeroGrains = (flags & vmdkFlag.zeroGrain) !== 0;
  return ok({
    ...{ capacityBytes, grainBytes, tableEntries, directoryOffset },
    ...{ hasZeroGrains, isCompressed, descriptorOffset, descriptorBytes },
  });
}
