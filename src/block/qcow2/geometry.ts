/** What follows from a header's sizes. */
import { qcow2Limit } from '../../spec/qcow2.ts';

export interface Geometry {
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly l2EntryBytes: number;
  /** Entries of an L2 table. */
  readonly l2Entries: number;
  /** Guest bytes that one L2 table describes. */
  readonly l2CoverageBytes: number;
  readonly refcountBits: number;
  /** Entries of a refcount block. */
  readonly refcountsPerBlock: number;
  /** The largest count that fits, or that a number holds exactly. */
  readonly maxRefcount: number;
}

export function geometryOf(clusterBits: number, refcountOrder: number, extendedL2: boolean): Geometry {
  const clusterBytes = 2 ** clusterBits;
  const l2EntryBytes = extendedL2 ? 16 : 8;
  const l2Entries = clusterBytes / l2EntryBytes;
  const refcountBits = 2 ** refcountOrder;
  return {
    clusterBits,
    clusterBytes,
    l2EntryBytes,
    l2Entries,
    l2CoverageBytes: l2Entries * clusterBytes,
    refcountBits,
    refcountsPerBlock: (clusterBytes * 8) / refcountBits,
    maxRefcount: Math.min(2 ** refcountBits - 1, Number.MAX_SAFE_INTEGER),
  };
}

/** L1 entries for a disk of that size. */
export function l1EntriesFor(geometry: Geometry, sizeBytes: number): number {
  return Math.ceil(sizeBytes / geometry.l2CoverageBytes);
}

/** The largest disk that QEMU's limit of the L1 table allows, and that offsets can be computed for exactly. */
export function maxDiskBytes(geometry: Geometry): number {
  return Math.min((qcow2Limit.maxL1Bytes / 8) * geometry.l2CoverageBytes, 2 ** 52);
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function roundDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}
