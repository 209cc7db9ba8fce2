/** Resources of PC devices as the DSDT describes them. IBM PC/AT Technical Reference, PCI Local Bus Specification 3.0. */
export const legacyResources = {
  rtcIrq: 8,
  keyboardIrq: 1,
  mouseIrq: 12,
  serialPortCount: 8,
  fwCfgPortCount: 12,
  hpetBytes: 0x400,
  /** PCI configuration mechanism 1. */
  pciConfigFirst: 0xcf8,
  pciConfigLast: 0xcff,
  pciSlots: 32,
  pinsPerPciDevice: 4,
  videoMemoryBytes: 0x2_0000,
} as const;

/** _STA of a device that works but is not to be shown to users. ACPI Specification 6.3, 6.3.7. */
export const presentNotShown = 0x0b;
