/** What follows from a header's sizes. */
import { qcow2Incompatible, qcow2Limit, qcow2Subclusters } from '../../spec/qcow2.ts';
import type { Header } from './header.ts';

export interface Geometry {
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Parts of a cluster that are stored or not by themselves: one, or 32 with extended L2 entries. */
  readonly unitsPerCluster: number;
  readonly unitBytes: number;
  /** Whether L2 entries have a flag for zeroes; version 2 has none, and extended entries have it for each part. */
  readonly hasZeroFlag: boolean;
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

type Sizes = Pick<Header, 'version' | 'clusterBits' | 'refcountOrder' | 'incompatible'>;

export function geometryOf({ version, clusterBits, refcountOrder, incompatible }: Sizes): Geometry {
  const extended = (incompatible & qcow2Incompatible.extendedL2) !== 0n;
  const clusterBytes = 2 ** clusterBits;
  const unitsPerCluster = extended ? qcow2Subclusters : 1;
  const l2EntryBytes = extended ? 16 : 8;
  const l2Entries = clusterBytes / l2EntryBytes;
  const refcountBits = 2 ** refcountOrder;
  return {
    clusterBits,
    clusterBytes,
    unitsPerCluster,
    unitBytes: clusterBytes / unitsPerCluster,
    hasZeroFlag: version > 2 && !extended,
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
