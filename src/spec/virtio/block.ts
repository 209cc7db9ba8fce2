/** The virtio block device. Source: VIRTIO Version 1.2, section 5.2. */

/** Section 5.2.3. */
export const blockFeature = {
  segmentMax: 1n << 2n,
  readOnly: 1n << 5n,
  blockSize: 1n << 6n,
  flush: 1n << 9n,
  topology: 1n << 10n,
  multiQueue: 1n << 12n,
  discard: 1n << 13n,
  writeZeroes: 1n << 14n,
} as const;

/** Section 5.2.4. */
export const blockConfig = {
  capacity: 0,
  segmentMax: 12,
  blockSize: 20,
  physicalBlockExponent: 24,
  minIoSize: 26,
  optimalIoSize: 28,
  queueCount: 34,
  maxDiscardSectors: 36,
  maxDiscardSegments: 40,
  discardAlignment: 44,
  maxWriteZeroesSectors: 48,
  maxWriteZeroesSegments: 52,
  writeZeroesMayUnmap: 56,
  size: 60,
} as const;

/** Section 5.2.6. */
export const blockRequest = { type: 0, sector: 8, headerSize: 16 } as const;

export const blockRequestType = { read: 0, write: 1, flush: 4, getId: 8, discard: 11, writeZeroes: 13 } as const;

export const blockStatus = { ok: 0, ioError: 1, unsupported: 2 } as const;

/** A range of a discard or write zeroes request. */
export const blockRange = { sector: 0, sectors: 8, flags: 12, size: 16, unmap: 1 } as const;

export const blockIdBytes = 20;

/** PCI class: mass storage controller, other. */
export const blockClass = 0x01_80_00;
