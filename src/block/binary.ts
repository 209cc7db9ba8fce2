/** Structures in bytes that nobody vouches for, and text, for which rooms without a host's types have no decoder. */
import { decodeUtf8 } from '../support/utf8.ts';

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit number; above 2^53 it is rounded, and too large for whatever it is compared with. */
export function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  const stride = 4096;
  for (let at = 0; at < bytes.length; at += stride) text += String.fromCharCode(...bytes.subarray(at, at + stride));
  return text;
}

export function startsWith(bytes: Uint8Array, signature: string): boolean {
  return latin1(bytes.subarray(0, signature.length)) === signature;
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The text of bytes that `latin1` made characters of. @returns undefined if they are not UTF-8 */
export function utf8OfLatin1(text: string): string | undefined {
  return decodeUtf8(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** A GUID as Microsoft stores it: the first three numbers little-endian. */
export function guidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const group = (...places: number[]): string => places.map((place) => hex[place]).join('');
  return [group(3, 2, 1, 0), group(5, 4), group(7, 6), group(8, 9), group(10, 11, 12, 13, 14, 15)].join('-');
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

/** Text of a server for people: without what would move their cursor; bytes that are not ASCII become "?". */
export function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?')).join('');
}
