/** What an L2 entry says of a cluster. */
import { qcow2EntryHigh, qcow2EntryLow } from '../../spec/qcow2.ts';
import { sectorBytes } from '../disk.ts';
import type { Geometry } from './geometry.ts';

/** `hole`: nobody wrote it, the backing file may have. `zero`: reads as zeroes; it may have room reserved. */
export type ClusterKind = 'hole' | 'zero' | 'data' | 'compressed';

/** A cluster, or a part of one where parts are stored by themselves. */
export interface Cluster {
  readonly kind: ClusterKind;
  /** Where in the file, if only as room that is reserved; 0 if nowhere. */
  readonly host: number;
  /** Bytes of the file that it takes. */
  readonly hostBytes: number;
  /** Nobody else uses those bytes. */
  readonly own: boolean;
}

export const hole: Cluster = { kind: 'hole', host: 0, hostBytes: 0, own: false };
const plainZero: Cluster = { kind: 'zero', host: 0, hostBytes: 0, own: false };

/** The first, or only, 64 bits of an L2 entry. @returns what contradicts the format, if the entry does */
export function decodeEntry(high: number, low: number, geometry: Geometry): Cluster | string {
  if (high === 0 && low === 0) return hole;
  if ((high & qcow2EntryHigh.compressed) !== 0) return decodeCompressed(high, low, geometry.clusterBits);
  const hostBytes = geometry.clusterBytes;
  const host = entryOffset(high, low);
  const own = (high & qcow2EntryHigh.copied) !== 0;
  if (host % hostBytes !== 0) return 'an unaligned data cluster';
  if ((low & qcow2EntryLow.zero) !== 0) {
    if (!geometry.hasZeroFlag) return 'a zero cluster of a kind that it does not have';
    return host === 0 ? plainZero : { kind: 'zero', host, hostBytes, own };
  }
  if (host !== 0) return { kind: 'data', host, hostBytes, own };
  // The flag alone means nothing: it is for images with their data in another file.
  return hole;
}

/** The second 64 bits of an extended entry: what is stored, and what reads as zeroes; bit n is for part n. */
export interface Bitmaps {
  readonly allocated: number;
  readonly zeroed: number;
}

export const noBitmaps: Bitmaps = { allocated: 0, zeroed: 0 };

/** One part of a cluster, by the cluster's extended entry. */
export function decodePart(cluster: Cluster, bitmaps: Bitmaps, part: number, partBytes: number): Cluster | string {
  const bit = 1 << part;
  const allocated = (bitmaps.allocated & bit) !== 0;
  const zeroed = (bitmaps.zeroed & bit) !== 0;
  if (allocated && zeroed) return 'a part of a cluster that is data and zeroes at once';
  if (allocated && cluster.host === 0) return 'a part of a cluster that is nowhere';
  const host = cluster.host === 0 ? 0 : cluster.host + part * partBytes;
  return { kind: allocated ? 'data' : zeroed ? 'zero' : 'hole', host, hostBytes: partBytes, own: cluster.own };
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
