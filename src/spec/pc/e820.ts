/** BIOS memory map types. ACPI 6.5 table 15.6; the values also serve multiboot and PVH. */
export const e820Type = { ram: 1, reserved: 2, acpiReclaimable: 3, acpiNvs: 4, unusable: 5 } as const;

/** Fixed places in the first megabyte of a PC. */
export const pcMemory = {
  /** BIOS data area, and the words in it that tell where conventional memory ends. */
  biosDataArea: 0x400,
  ebdaSegmentWord: 0x40e,
  conventionalKilobytesWord: 0x413,
  /** Extended BIOS data area: the last kilobyte below the video memory. */
  ebda: 0x9_fc00,
  videoMemory: 0xa_0000,
  /** Where firmware keeps its tables; ACPI and SMBIOS anchors are searched here. */
  firmware: 0xe_0000,
  /** The SMBIOS anchor lies in the upper half only. */
  smbiosSearch: 0xf_0000,
  extendedMemory: 0x10_0000,
  fourGib: 0x1_0000_0000,
} as const;
