/** Files that firmware for QEMU's machines reads from fw_cfg. Sources: QEMU docs/specs/fw_cfg; SeaBIOS docs/Runtime_config. */
export const firmwareFile = {
  /** Entries { le64 address, le64 length, le32 type }. */
  e820: 'etc/e820',
  smbiosAnchor: 'etc/smbios/smbios-anchor',
  smbiosTables: 'etc/smbios/smbios-tables',
  /** The I/O port of a UART to show the screen on and take keys from. */
  serialConsolePort: 'etc/sercon-port',
} as const;

export const firmwareE820Bytes = 20;

/** A system's firmware lies at the end of the first 4 GiB, and its end once more below 1 MiB. */
export const firmwareRom = {
  end: 0x1_0000_0000,
  lowEnd: 0x10_0000,
  lowBytes: 0x4_0000,
  granule: 0x1_0000,
  /** The address space that the I/O APIC, the HPET and the local APIC leave. */
  maxBytes: 0x100_0000,
} as const;
