/** VirtualBox disk images, version 1.1. Source: VirtualBox VDICore.h and its description in QEMU's block/vdi.c; little-endian. */
export const vdiHeader = {
  bytes: 512,
  signature: 0x40,
  version: 0x44,
  type: 0x4c,
  mapOffset: 0x154,
  dataOffset: 0x158,
  sectorBytes: 0x168,
  diskBytes: 0x170,
  blockBytes: 0x178,
  /** Bytes in front of the data of each block. */
  blockExtraBytes: 0x17c,
  blockCount: 0x180,
  /** The image that this one is a difference to; zeroes without one. */
  linkUuid: 0x1a8,
  parentUuid: 0x1b8,
  uuidBytes: 16,
} as const;

export const vdiSignature = 0xbeda_107f;
export const vdiVersion = 0x0001_0001;
export const vdiType = { dynamic: 1, fixed: 2, undo: 3, difference: 4 } as const;

/** The block map has 32-bit block numbers. */
export const vdiMap = { entryBytes: 4, unallocated: 0xffff_ffff, discarded: 0xffff_fffe } as const;
