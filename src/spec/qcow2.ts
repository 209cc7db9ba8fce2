/** The qcow2 image format, versions 2 and 3. Source: QEMU, docs/interop/qcow2.rst; limits: block/qcow2.h. */

/** "QFI\xfb" */
export const qcow2Magic = 0x514649fb;

/** Byte offsets of header fields; all numbers are big-endian. */
export const qcow2Header = {
  magic: 0,
  version: 4,
  backingFileOffset: 8,
  backingFileSize: 16,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Size: 36,
  l1TableOffset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshotCount: 60,
  snapshotsOffset: 64,
  incompatibleFeatures: 72,
  compatibleFeatures: 80,
  autoclearFeatures: 88,
  refcountOrder: 96,
  headerLength: 100,
  compressionType: 104,
  /** What version 2 has, what version 3 has at least, and what it has with all fields named here. */
  version2Bytes: 72,
  version3Bytes: 104,
  fullBytes: 112,
} as const;

/** Bits of `incompatible_features`. */
export const qcow2Incompatible = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalData: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;

export const qcow2Compatible = { lazyRefcounts: 1n << 0n } as const;

export const qcow2Autoclear = { bitmaps: 1n << 0n, rawExternalData: 1n << 1n } as const;

export const qcow2Extension = {
  end: 0x0000_0000,
  backingFormat: 0xe279_2aca,
  featureNames: 0x6803_f857,
  bitmaps: 0x2385_2875,
  encryption: 0x0537_be77,
  externalData: 0x4441_5441,
} as const;

/** An entry of the feature name table. */
export const qcow2FeatureName = {
  bytes: 48,
  type: 0,
  bit: 1,
  name: 2,
  incompatible: 0,
  compatible: 1,
  autoclear: 2,
} as const;

/** The bitmaps extension's data. */
export const qcow2Bitmaps = { count: 0, directoryBytes: 8, directoryOffset: 16, bytes: 24 } as const;

/** An entry of the bitmap directory; extra data and name follow, padded to 8 bytes. */
export const qcow2BitmapEntry = {
  tableOffset: 0,
  tableEntries: 8,
  nameBytes: 18,
  extraBytes: 20,
  fixedBytes: 24,
} as const;

export const qcow2Crypt = { none: 0, aes: 1, luks: 2 } as const;

export const qcow2Compression = { deflate: 0, zstd: 1 } as const;

/** The upper 32 bits of an L1 or L2 entry. */
export const qcow2EntryHigh = {
  /** The refcount of what it points to is exactly one. */
  copied: 0x8000_0000,
  compressed: 0x4000_0000,
  /** Bits 32 to 55 of an offset. */
  offsetMask: 0x00ff_ffff,
  reservedMask: 0x3f00_0000,
} as const;

/** The lower 32 bits of an L1 or L2 entry. */
export const qcow2EntryLow = { zero: 0x0000_0001, offsetMask: 0xffff_fe00, reservedMask: 0x0000_01fe } as const;

/** An entry of the snapshot table; extra data, ID and name follow, padded to 8 bytes. */
export const qcow2Snapshot = {
  l1TableOffset: 0,
  l1Size: 8,
  idBytes: 12,
  nameBytes: 14,
  dateSeconds: 16,
  dateNanoseconds: 20,
  vmClockNs: 24,
  vmStateBytes: 32,
  extraBytes: 36,
  fixedBytes: 40,
  /** Within the extra data. */
  extraVmStateBytes: 0,
  extraDiskBytes: 8,
  extraIcount: 16,
} as const;

/** What QEMU accepts; images beyond cannot be used with it. */
export const qcow2Limit = {
  minClusterBits: 9,
  maxClusterBits: 21,
  maxRefcountOrder: 6,
  maxL1Bytes: 32 * 2 ** 20,
  maxRefcountTableBytes: 8 * 2 ** 20,
  maxSnapshots: 65_536,
  maxSnapshotExtraBytes: 1024,
  maxSnapshotTableBytes: 64 * 2 ** 20,
  maxBackingNameBytes: 1023,
  maxBitmaps: 65_535,
  maxBitmapDirectoryBytes: 64 * 2 ** 20,
  extendedL2MinClusterBits: 14,
} as const;

/** Extended L2 entries: how many parts a cluster has. */
export const qcow2Subclusters = 32;

export const qcow2DefaultClusterBits = 16;
export const qcow2DefaultRefcountOrder = 4;
