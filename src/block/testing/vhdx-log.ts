/** Writes logs into VHDX images, as a machine leaves them that lost its power. Source: [MS-VHDX] 2.3. */
import { crc32c } from '../import/crc32c.ts';

const pageBytes = 4096;
const logGuid = Uint8Array.from({ length: 16 }, (_, at) => 0x40 + at);

/** A change to a page of the file, or zeroes from there on. */
export interface LoggedChange {
  readonly offset: number;
  readonly page?: Uint8Array;
  readonly zeroBytes?: number;
}

export interface LoggedEntry {
  readonly sequence: bigint;
  /** Where the oldest entry that counts is in the log. */
  readonly tail: number;
  readonly changes: readonly LoggedChange[];
  readonly guid?: Uint8Array;
  readonly flushedFileBytes: number;
  readonly lastFileBytes: number;
}

export function entryBytes(changes: readonly LoggedChange[]): number {
  const descriptors = Math.ceil((64 + changes.length * 32) / pageBytes);
  return (descriptors + changes.filter(({ page }) => page !== undefined).length) * pageBytes;
}

export function encodeEntry(entry: LoggedEntry): Uint8Array {
  const bytes = new Uint8Array(entryBytes(entry.changes));
  const view = new DataView(bytes.buffer);
  put(bytes, 0, 'loge');
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, entry.tail, true);
  view.setBigUint64(16, entry.sequence, true);
  view.setUint32(24, entry.changes.length, true);
  bytes.set(entry.guid ?? logGuid, 32);
  view.setBigUint64(48, BigInt(entry.flushedFileBytes), true);
  view.setBigUint64(56, BigInt(entry.lastFileBytes), true);
  let dataAt = Math.ceil((64 + entry.changes.length * 32) / pageBytes) * pageBytes;
  entry.changes.forEach(({ offset, page, zeroBytes = 0 }, index) => {
    const at = 64 + index * 32;
    put(bytes, at, page === undefined ? 'zero' : 'desc');
    if (page === undefined) view.setBigUint64(at + 8, BigInt(zeroBytes), true);
    view.setBigUint64(at + 16, BigInt(offset), true);
    view.setBigUint64(at + 24, entry.sequence, true);
    if (page === undefined) return;
    bytes.set(page.subarray(4092), at + 4);
    bytes.set(page.subarray(0, 8), at + 8);
    put(bytes, dataAt, 'data');
    view.setUint32(dataAt + 4, Number(entry.sequence >> 32n), true);
    bytes.set(page.subarray(8, 4092), dataAt + 8);
    view.setUint32(dataAt + 4092, Number(entry.sequence & 0xffff_ffffn), true);
    dataAt += pageBytes;
  });
  view.setUint32(4, crc32c(bytes), true);
  return bytes;
}

/** Where the log of an image lies. */
export function logOf(image: Uint8Array): { offset: number; bytes: number } {
  const view = new DataView(image.buffer, image.byteOffset);
  return { offset: Number(view.getBigUint64(0x1_0000 + 72, true)), bytes: view.getUint32(0x1_0000 + 68, true) };
}

/** Puts an entry at `at` of the log; what does not fit continues at its begin. */
export function placeEntry(image: Uint8Array, at: number, entry: Uint8Array): void {
  const { offset, bytes } = logOf(image);
  const first = entry.subarray(0, bytes - at);
  image.set(first, offset + at);
  image.set(entry.subarray(first.length), offset);
}

/** Says in both headers that the log is in use. */
export function openLog(image: Uint8Array): void {
  for (const header of [0x1_0000, 0x2_0000]) {
    image.set(logGuid, header + 48);
    sealStructure(image, header, pageBytes);
  }
}

/** Writes the checksum that a header or region table should have. */
export function sealStructure(image: Uint8Array, at: number, length: number): void {
  image.fill(0, at + 4, at + 8);
  new DataView(image.buffer, image.byteOffset).setUint32(at + 4, crc32c(image.subarray(at, at + length)), true);
}

function put(bytes: Uint8Array, at: number, signature: string): void {
  bytes.set(new TextEncoder().encode(signature), at);
}
