/** The master boot record, sector 0 of a disk. Source: UEFI 2.10, 5.2.1 "Legacy Master Boot Record". */
export const mbr = {
  size: 512,
  /** Boot code may fill what lies before the disk signature. */
  codeSize: 440,
  diskSignature: 440,
  partitionTable: 446,
  entrySize: 16,
  entryCount: 4,
  signature: 510,
  signatureValue: 0xaa55,
} as const;

/** Offsets in an entry of the partition table. CHS are three bytes: head, sector | cylinder high, cylinder low. */
export const mbrEntry = { status: 0, firstChs: 1, type: 4, lastChs: 5, firstSector: 8, sectorCount: 12 } as const;

export const mbrStatus = { inactive: 0x00, active: 0x80 } as const;

export const mbrType = { linux: 0x83 } as const;

/** The geometry that BIOSes translate large disks to (INT 13h extensions, "LBA assist"); cylinders end at 1023. */
export const chsGeometry = { heads: 255, sectorsPerTrack: 63, lastCylinder: 1023 } as const;
