/** How firmware is told to lay out tables that it finds in fw_cfg. Source: QEMU hw/acpi/bios-linker-loader.c. */
export const tableLoaderFile = {
  script: 'etc/table-loader',
  tables: 'etc/acpi/tables',
  rsdp: 'etc/acpi/rsdp',
} as const;

export const tableLoader = {
  entryBytes: 128,
  nameBytes: 56,
  /** le32 at the start of an entry. */
  command: 0,
  commandAllocate: 1,
  commandAddPointer: 2,
  commandAddChecksum: 3,
} as const;

/** Puts the file somewhere: name, le32 alignment, u8 zone. */
export const tableLoaderAllocate = { file: 4, alignment: 60, zone: 64, zoneHigh: 1, zoneFirmwareSegment: 2 } as const;

/** Adds the address of the source file to the number in the destination: two names, le32 offset, u8 size of the number. */
export const tableLoaderPointer = { destination: 4, source: 60, offset: 116, size: 120 } as const;

/** Makes the sum of a range 0: name, le32 place of the sum, le32 start, le32 length. */
export const tableLoaderChecksum = { file: 4, offset: 60, start: 64, length: 68 } as const;
