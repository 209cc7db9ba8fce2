/** Virtual PC disks. Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0; big-endian. */
export const vhdFooter = {
  bytes: 512,
  cookie: 'conectix',
  version: 12,
  /** Where the dynamic header is. */
  dataOffset: 16,
  creator: 28,
  creatorBytes: 4,
  currentBytes: 48,
  cylinders: 56,
  heads: 58,
  sectorsPerTrack: 59,
  type: 60,
  /** One's complement of the sum of all other bytes. */
  checksum: 64,
  major: 1,
} as const;

export const vhdType = { fixed: 2, dynamic: 3, difference: 4 } as const;

/** What does not fit is said by `currentBytes` alone. */
export const vhdLargestGeometry = 65535 * 16 * 255;

/** Creators whose `currentBytes` is the size of the disk; for others (Virtual PC, QEMU) the geometry is. */
export const vhdSizedByBytes = ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0'] as const;

export const vhdDynamicHeader = {
  bytes: 1024,
  cookie: 'cxsparse',
  tableOffset: 16,
  tableEntries: 28,
  blockBytes: 32,
  checksum: 36,
} as const;

/** Entries of the block allocation table: the sector of a block's bitmap; the data follows the bitmap. */
export const vhdTable = { entryBytes: 4, unallocated: 0xffff_ffff } as const;
