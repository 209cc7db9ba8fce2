/** The first cluster of an image: header, header extensions, the backing file's name. */
import {
  qcow2Header as field,
  qcow2Compression,
  qcow2Crypt,
  qcow2Extension,
  qcow2FeatureName,
  qcow2Incompatible,
  qcow2Limit,
  qcow2Magic,
} from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../support/utf8.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { corrupt, unsupported } from './failures.ts';
import { geometryOf, l1EntriesFor, maxDiskBytes, roundDown } from './geometry.ts';

export interface HeaderExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly sizeBytes: number;
  readonly l1Size: number;
  readonly l1TableOffset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly snapshotCount: number;
  readonly snapshotsOffset: number;
  readonly incompatible: bigint;
  readonly compatible: bigint;
  readonly autoclear: bigint;
  readonly refcountOrder: number;
  readonly compressionType: number;
  /** Header fields that this program does not know, kept as they are. */
  readonly furtherFields: Uint8Array;
  /** In their order, those that this program does not know among them; without the end and the backing format. */
  readonly extensions: readonly HeaderExtension[];
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
}

const supported = qcow2Incompatible.dirty | qcow2Incompatible.corrupt | qcow2Incompatible.compressionType;

export function hasQcow2Magic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0) === qcow2Magic;
}

/** A 64-bit number; it is not exact from 2^53 on, which callers refuse as too large. */
export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
}

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 2 ** 32));
  view.setUint32(offset + 4, value % 2 ** 32);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many bytes from the start of the file `parseHeader` wants to see; 0 if it is no qcow2 image that it can read. */
export function headerBytesOf(start: Uint8Array): number {
  if (start.length < field.version2Bytes || !hasQcow2Magic(start)) return 0;
  const bits = viewOf(start).getUint32(field.clusterBits);
  return bits >= qcow2Limit.minClusterBits && bits <= qcow2Limit.maxClusterBits ? 2 ** bits : field.version2Bytes;
}

/** @param bytes the first cluster, or what there is of it */
export function parseHeader(name: string, bytes: Uint8Array): Result<Header, DiskFailure> {
  if (bytes.length < field.version2Bytes || !hasQcow2Magic(bytes)) {
    return corrupt(name, 'it does not begin with the header of a qcow2 image');
  }
  const view = viewOf(bytes);
  const version = view.getUint32(field.version);
  if (version !== 2 && version !== 3) return unsupported(name, `it has version ${version} of qcow2, known are 2 and 3`);
  const headerBytes = version === 2 ? field.version2Bytes : lengthField(view);
  if (headerBytes === undefined || headerBytes > bytes.length) return corrupt(name, "its header's length is wrong");
  const optional = <T>(offset: number, length: number, get: () => T, otherwise: T): T =>
    offset + length <= headerBytes ? get() : otherwise;
  const features = (offset: number): bigint => optional(offset, 8, () => view.getBigUint64(offset), 0n);
  const extensions = parseExtensions(name, bytes, headerBytes);
  if (!extensions.ok) return extensions;
  const backing = parseBacking(name, bytes, headerBytes, extensions.value);
  if (!backing.ok) return backing;
  const header: Header = {
    version,
    clusterBits: view.getUint32(field.clusterBits),
    // What does not fill a sector is no part of the disk.
    sizeBytes: roundDown(getU64(view, field.size), sectorBytes),
    l1Size: view.getUint32(field.l1Size),
    l1TableOffset: getU64(view, field.l1TableOffset),
    refcountTableOffset: getU64(view, field.refcountTableOffset),
    refcountTableClusters: view.getUint32(field.refcountTableClusters),
    snapshotCount: view.getUint32(field.snapshotCount),
    snapshotsOffset: getU64(view, field.snapshotsOffset),
    incompatible: features(field.incompatibleFeatures),
    compatible: features(field.compatibleFeatures),
    autoclear: features(field.autoclearFeatures),
    refcountOrder: optional(field.refcountOrder, 4, () => view.getUint32(field.refcountOrder), 4),
    compressionType: optional(field.compressionType, 1, () => view.getUint8(field.compressionType), 0),
    furtherFields: bytes.slice(Math.min(field.fullBytes, headerBytes), headerBytes),
    extensions: extensions.value.filter(({ type }) => type !== qcow2Extension.backingFormat),
    ...backing.value,
  };
  const refused = refuseFeatures(name, header, view.getUint32(field.cryptMethod));
  return refused.ok ? checkSizes(name, header) : refused;
}

function lengthField(view: DataView): number | undefined {
  if (view.byteLength < field.version3Bytes) return undefined;
  const length = view.getUint32(field.headerLength);
  return length < field.version3Bytes || length % 8 !== 0 ? undefined : length;
}

function parseExtensions(name: string, bytes: Uint8Array, from: number): Result<HeaderExtension[], DiskFailure> {
  const view = viewOf(bytes);
  const extensions: HeaderExtension[] = [];
  // Whatever lies behind the backing file's name is no extension.
  const nameOffset = getU64(view, field.backingFileOffset);
  const end = nameOffset >= from && nameOffset < bytes.length ? nameOffset : bytes.length;
  for (let at = from; at + 8 <= end; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === qcow2Extension.end) break;
    if (length > end - at - 8) return corrupt(name, 'a header extension is longer than the space for it');
    extensions.push({ type, data: bytes.slice(at + 8, at + 8 + length) });
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return ok(extensions);
}

interface Backing {
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
}

function parseBacking(
  name: string,
  bytes: Uint8Array,
  headerBytes: number,
  extensions: readonly HeaderExtension[],
): Result<Backing, DiskFailure> {
  const view = viewOf(bytes);
  const offset = getU64(view, field.backingFileOffset);
  if (offset === 0) return ok({ backingFile: undefined, backingFormat: undefined });
  const length = view.getUint32(field.backingFileSize);
  const fits = offset >= headerBytes && length <= qcow2Limit.maxBackingNameBytes && offset + length <= bytes.length;
  if (!fits) return corrupt(name, "its backing file's name lies outside the header");
  if (length === 0) return ok({ backingFile: undefined, backingFormat: undefined });
  const backingFile = decodeUtf8(bytes.subarray(offset, offset + length));
  const format = extensions.find(({ type }) => type === qcow2Extension.backingFormat)?.data;
  const backingFormat = format === undefined || format.length === 0 ? undefined : decodeUtf8(format);
  const isText = backingFile !== undefined && !backingFile.includes('\0');
  return isText ? ok({ backingFile, backingFormat }) : unsupported(name, "its backing file's name is no UTF-8 text");
}

function refuseFeatures(name: string, header: Header, cryptMethod: number): Result<void, DiskFailure> {
  if (cryptMethod !== qcow2Crypt.none) {
    const method = cryptMethod === qcow2Crypt.luks ? 'LUKS' : cryptMethod === qcow2Crypt.aes ? 'AES' : 'some way';
    return unsupported(name, `it is encrypted (${method}); decrypt it with "qemu-img convert" first`);
  }
  if ((header.incompatible & qcow2Incompatible.externalData) !== 0n) {
    return unsupported(name, 'its data lies in a separate raw file; join them with "qemu-img convert" first');
  }
  const unknown = header.incompatible & ~supported;
  if (unknown !== 0n) return unsupported(name, `it needs ${featureNames(header, unknown)}`);
  const { compressionType } = header;
  const announced = (header.incompatible & qcow2Incompatible.compressionType) !== 0n;
  if (announced !== (compressionType !== qcow2Compression.deflate)) {
    return corrupt(name, 'its compression type and the feature bit for it contradict each other');
  }
  if (compressionType > qcow2Compression.zstd)
    return unsupported(name, `its compression (${compressionType}) is unknown`);
  return ok(undefined);
}

/** By the image's own table of names, or by number. */
function featureNames(header: Header, bits: bigint): string {
  const table = header.extensions.find(({ type }) => type === qcow2Extension.featureNames)?.data ?? new Uint8Array(0);
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((bits >> BigInt(bit)) & 1n) === 0n) continue;
    let found = `feature ${bit}`;
    for (let at = 0; at + qcow2FeatureName.bytes <= table.length; at += qcow2FeatureName.bytes) {
      const entry = table.subarray(at, at + qcow2FeatureName.bytes);
      if (entry[qcow2FeatureName.type] !== qcow2FeatureName.incompatible || entry[qcow2FeatureName.bit] !== bit)
        continue;
      // For a terminal: nothing but plain characters.
      const text = decodeUtf8(entry.subarray(qcow2FeatureName.name))?.replace(/\0.*$/s, '') ?? '';
      if (/^[ -~]+$/.test(text)) found = `the feature "${text}"`;
    }
    names.push(found);
  }
  return `${names.join(' and ')}, which this program does not have`;
}

function checkSizes(name: string, header: Header): Result<Header, DiskFailure> {
  const { clusterBits, refcountOrder, l1Size, l1TableOffset, refcountTableOffset, refcountTableClusters } = header;
  if (clusterBits < qcow2Limit.minClusterBits || clusterBits > qcow2Limit.maxClusterBits) {
    return unsupported(name, `its clusters have 2^${clusterBits} bytes; 2^9 to 2^21 are possible`);
  }
  if (refcountOrder > qcow2Limit.maxRefcountOrder) return corrupt(name, `its refcounts have 2^${refcountOrder} bits`);
  const geometry = geometryOf(clusterBits, refcountOrder, false);
  const { clusterBytes } = geometry;
  const aligned = (offset: number): boolean => offset % clusterBytes === 0 && offset < 2 ** 52;
  if (header.sizeBytes > maxDiskBytes(geometry)) return unsupported(name, 'its disk is too large for its clusters');
  if (l1Size * 8 > qcow2Limit.maxL1Bytes) return unsupported(name, 'its L1 table is larger than 32 MiB');
  if (l1Size < l1EntriesFor(geometry, header.sizeBytes)) return corrupt(name, 'its L1 table is too small for its disk');
  if (!aligned(l1TableOffset) || (l1Size > 0 && l1TableOffset === 0)) return corrupt(name, 'its L1 table is misplaced');
  if (!aligned(refcountTableOffset) || refcountTableOffset === 0)
    return corrupt(name, 'its refcount table is misplaced');
  const refcountTableBytes = refcountTableClusters * clusterBytes;
  if (refcountTableBytes === 0) return corrupt(name, 'it has no refcount table');
  if (refcountTableBytes > Math.max(qcow2Limit.maxRefcountTableBytes, clusterBytes)) {
    return unsupported(name, 'its refcount table is larger than 8 MiB');
  }
  if (header.snapshotCount > qcow2Limit.maxSnapshots) return unsupported(name, 'it has more than 65536 snapshots');
  if (!aligned(header.snapshotsOffset)) return corrupt(name, 'its snapshot table is misplaced');
  return ok(header);
}

/** The first cluster. @returns undefined if it does not fit into one */
export function encodeHeader(header: Header): Uint8Array | undefined {
  const bytes = new Uint8Array(2 ** header.clusterBits);
  const fixed = encodeFixedHeader(header);
  const name = header.backingFile === undefined ? new Uint8Array(0) : encodeUtf8(header.backingFile);
  const extensions = [...header.extensions];
  if (header.backingFormat !== undefined && header.backingFile !== undefined) {
    extensions.unshift({ type: qcow2Extension.backingFormat, data: encodeUtf8(header.backingFormat) });
  }
  const paddedBytes = (data: Uint8Array): number => 8 + Math.ceil(data.length / 8) * 8;
  const nameOffset = extensions.reduce((sum, { data }) => sum + paddedBytes(data), fixed.length + 8);
  if (nameOffset + name.length > bytes.length || name.length > qcow2Limit.maxBackingNameBytes) return undefined;
  const view = viewOf(bytes);
  let at = fixed.length;
  for (const { type, data } of extensions) {
    view.setUint32(at, type);
    view.setUint32(at + 4, data.length);
    bytes.set(data, at + 8);
    at += paddedBytes(data);
  }
  bytes.set(fixed);
  bytes.set(name, nameOffset);
  setU64(view, field.backingFileOffset, name.length === 0 ? 0 : nameOffset);
  view.setUint32(field.backingFileSize, name.length);
  return bytes;
}

/** The fields, but for the place of the backing file's name. */
export function encodeFixedHeader(header: Header): Uint8Array {
  const length = header.version === 2 ? field.version2Bytes : field.fullBytes + header.furtherFields.length;
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(field.magic, qcow2Magic);
  view.setUint32(field.version, header.version);
  view.setUint32(field.clusterBits, header.clusterBits);
  setU64(view, field.size, header.sizeBytes);
  view.setUint32(field.l1Size, header.l1Size);
  setU64(view, field.l1TableOffset, header.l1TableOffset);
  setU64(view, field.refcountTableOffset, header.refcountTableOffset);
  view.setUint32(field.refcountTableClusters, header.refcountTableClusters);
  view.setUint32(field.snapshotCount, header.snapshotCount);
  setU64(view, field.snapshotsOffset, header.snapshotsOffset);
  if (header.version === 2) return bytes;
  view.setBigUint64(field.incompatibleFeatures, header.incompatible);
  view.setBigUint64(field.compatibleFeatures, header.compatible);
  view.setBigUint64(field.autoclearFeatures, header.autoclear);
  view.setUint32(field.refcountOrder, header.refcountOrder);
  view.setUint32(field.headerLength, length);
  view.setUint8(field.compressionType, header.compressionType);
  bytes.set(header.furtherFields, field.fullBytes);
  return bytes;
}
