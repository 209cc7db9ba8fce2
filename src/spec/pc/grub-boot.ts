/**
 * GRUB's first sectors on a PC with BIOS: boot.img, which becomes the boot code of sector 0, and core.img, whose own
 * first sector loads the rest of it. Source: GRUB include/grub/i386/pc/boot.h.
 */
export const grubBootImage = {
  size: 512,
  /** le64: the sector of core.img's first sector. */
  kernelSector: 0x5c,
  /** The BIOS drive to read from; `bootDriveOfBios` takes the one that the BIOS booted from. */
  bootDrive: 0x64,
  bootDriveOfBios: 0xff,
} as const;

/** The last block list of core.img's first sector: { le64 first sector, le16 count, le16 segment }. */
export const grubCoreImage = { firstSector: 0x1f4, sectorCount: 0x1fc } as const;
