/**
 * VMware virtual disks. Source: VMware, "Virtual Disk Format 5.0" (technical note) and 1.1; little-endian, lengths and
 * places in sectors of 512 bytes unless the name says bytes.
 */

/** Hosted sparse extent header (SparseExtentHeader). */
export const vmdkHeader = {
  bytes: 512,
  /** "KDMV" as it lies in the file. */
  magic: 0x564d_444b,
  version: 4,
  flags: 8,
  capacity: 12,
  grainSize: 20,
  descriptorOffset: 28,
  descriptorSize: 36,
  grainTableEntries: 44,
  grainDirectory: 56,
  /** Four bytes that a transfer in text mode would have changed. */
  lineEnds: 73,
  compression: 77,
  lastVersion: 3,
} as const;

export const vmdkLineEnds = [0x0a, 0x20, 0x0d, 0x0a] as const;

export const vmdkFlag = {
  lineEndsValid: 0x0000_0001,
  zeroGrain: 0x0000_0004,
  compressed: 0x0001_0000,
  markers: 0x0002_0000,
} as const;

export const vmdkCompression = { none: 0, deflate: 1 } as const;

/** "COWD" as it lies in the file: the sparse extents of ESX server. */
export const vmdkEsxSparseMagic = 0x4457_4f43;

/** Value of `grainDirectory` in a stream's header: its footer, the sector before the last, says where it is. */
export const vmdkDirectoryInFooter = 0xffff_ffff_ffff_ffffn;

/** Entries of grain directories and grain tables are 32-bit sector numbers. */
export const vmdkGrain = {
  entryBytes: 4,
  unallocated: 0,
  /** In grain tables, with `vmdkFlag.zeroGrain`. */
  zero: 1,
  mostTableEntries: 512,
} as const;

/** A marker { u64 value, u32 size, u32 type }. Size 0: metadata of `type`; otherwise a grain, with its data at 12. */
export const vmdkMarker = {
  bytes: 512,
  value: 0,
  size: 8,
  type: 12,
  grainData: 12,
  endOfStream: 0,
  footer: 3,
} as const;

/** A compressed grain is an RFC 1950 stream: 2 bytes of header, DEFLATE, the Adler-32 of the data, big-endian. */
export const zlibStream = {
  headerBytes: 2,
  trailerBytes: 4,
  methodMask: 0x0f,
  deflate: 8,
  presetDictionary: 0x20,
} as const;

/** Value of `parentCID` of a disk without a parent. */
export const vmdkNoParent = 'ffffffff';
