/** What an L2 entry says of a cluster. */
import { qcow2EntryHigh, qcow2EntryLow } from '../../spec/qcow2.ts';
import { sectorBytes } from '../disk.ts';

/** `hole`: nobody wrote it, the backing file may have. `zero`: reads as zeroes; it may have room reserved. */
export type ClusterKind = 'hole' | 'zero' | 'data' | 'compressed';

export interface Cluster {
  readonly kind: ClusterKind;
  /** Where in the file; 0 if nowhere. Aligned to a cluster unless compressed. */
  readonly host: number;
  /** Bytes of the file that it takes. */
  readonly hostBytes: number;
  /** Nobody else uses those bytes. */
  readonly own: boolean;
}

export const hole: Cluster = { kind: 'hole', host: 0, hostBytes: 0, own: false };
export const plainZero: Cluster = { kind: 'zero', host: 0, hostBytes: 0, own: false };

/** @returns what contradicts the format, if the entry does */
export function decodeEntry(high: number, low: number, version: number, clusterBits: number): Cluster | string {
  if (high === 0 && low === 0) return hole;
  if ((high & qcow2EntryHigh.compressed) !== 0) return decodeCompressed(high, low, clusterBits);
  const hostBytes = 2 ** clusterBits;
  const host = entryOffset(high, low);
  const own = (high & qcow2EntryHigh.copied) !== 0;
  if (host % hostBytes !== 0) return 'an unaligned data cluster';
  if ((low & qcow2EntryLow.zero) !== 0) {
    if (version < 3) return 'a zero cluster, which version 2 does not have';
    return host === 0 ? plainZero : { kind: 'zero', host, hostBytes, own };
  }
  if (host !== 0) return { kind: 'data', host, hostBytes, own };
  // The flag alone means nothing: it is for images with their data in another file.
  return hole;
}

/** Bits 9 to 55 of an L1 or L2 entry. It is exact although it may exceed 2^53: the lowest bits are zero. */
export function entryOffset(high: number, low: number): number {
  return (high & qcow2EntryHigh.offsetMask) * 2 ** 32 + ((low & qcow2EntryLow.offsetMask) >>> 0);
}

function decodeCompressed(high: number, low: number, clusterBits: number): Cluster | string {
  // The offset has 62 - (clusterBits - 8) bits, the number of sectors the rest of 62.
  const highBits = 62 - (clusterBits - 8) - 32;
  const offsetHigh = high & (2 ** highBits - 1);
  if (offsetHigh > qcow2EntryHigh.offsetMask) return 'a compressed cluster beyond 2^56';
  const host = offsetHigh * 2 ** 32 + low;
  const sectors = ((high & 0x3fff_ffff) >>> highBits) + 1;
  return { kind: 'compressed', host, hostBytes: sectors * sectorBytes - (host % sectorBytes), own: false };
}

/** The entry of compressed data of `length` bytes. */
export function encodeCompressed(host: number, length: number, clusterBits: number): { high: number; low: number } {
  const highBits = 62 - (clusterBits - 8) - 32;
  const sectors = Math.floor((host + length - 1) / sectorBytes) - Math.floor(host / sectorBytes);
  const high = qcow2EntryHigh.compressed | (sectors << highBits) | Math.floor(host / 2 ** 32);
  return { high: high >>> 0, low: host % 2 ** 32 };
}

/** Where compressed data has to end: its entry has so many bits for its place. */
export function maxCompressedOffset(clusterBits: number): number {
  return Math.min(2 ** (62 - (clusterBits - 8)), 2 ** 52);
}
