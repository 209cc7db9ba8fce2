/** The Internet checksum. Source: RFC 1071. */
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { read16 } from './bytes.ts';

/** Bytes that may be added up before the sum of 16-bit words would leave 32 bits. */
const foldEvery = 65_536;

/** Folds a sum of 16-bit words into 16 bits. */
function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** @returns the sum of `bytes[start..end)` as big-endian words plus `initial`, folded to 16 bits and not inverted */
export function partialSum(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial;
  let at = start;
  while (at < end) {
    const stop = Math.min(end, at + foldEvery);
    const even = at + ((stop - at) & ~1);
    for (; at < even; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    if (at < stop) {
      sum += (bytes[at] as number) << 8;
      at++;
    }
    sum = fold(sum >>> 0);
  }
  return fold(sum);
}

/** The value of a checksum field that makes the sum of the whole all ones. */
export function checksum(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  return ~partialSum(bytes, start, end, initial) & 0xffff;
}

/** The sum of TCP's and UDP's pseudo header, folded. */
export function pseudoHeaderSum(source: number, destination: number, protocol: number, length: number): number {
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return fold(addresses + protocol + length);
}

/** A UDP checksum of zero means that there is none; a sum of zero is sent as its other form. RFC 768. */
export function finishChecksum(bytes: Uint8Array, start: number, offset: number, end: number): void {
  const value = checksum(bytes, start, end);
  const at = start + offset;
  const written = value === 0 && offset === udpChecksumOffset ? 0xffff : value;
  bytes[at] = written >>> 8;
  bytes[at + 1] = written;
}

const udpChecksumOffset = 6;

/** Whether a TCP or UDP checksum of an IPv4 packet is right. A UDP packet without one is. */
export function transportChecksumIsRight(
  bytes: Uint8Array,
  start: number,
  end: number,
  packet: { readonly source: number; readonly destination: number; readonly protocol: number },
): boolean {
  const { source, destination, protocol } = packet;
  if (protocol === ipProtocol.udp && read16(bytes, start + udpChecksumOffset) === 0) return true;
  return partialSum(bytes, start, end, pseudoHeaderSum(source, destination, protocol, end - start)) === 0xffff;
}
