/** System Management BIOS Reference Specification 3.0 (DMTF DSP0134). */
export const smbios = {
  entryPointBytes: 24,
  anchor: '_SM3_',
  major: 3,
  minor: 0,
  docrev: 0,
  /** Version of the entry point structure itself. */
  entryPointRevision: 1,
  alignment: 16,
} as const;

export const smbiosType = {
  bios: 0,
  system: 1,
  chassis: 3,
  processor: 4,
  memoryArray: 16,
  memoryDevice: 17,
  memoryArrayMapped: 19,
  boot: 32,
  end: 127,
} as const;

/** Values of enumerated fields, by section of the specification. */
export const smbiosValue = {
  /** 7.1.1: "BIOS characteristics are not supported"; 7.1.2.2: the table describes a virtual machine. */
  biosCharacteristicsUnsupported: 1n << 3n,
  biosVirtualMachine: 1 << 4,
  /** 7.2.2. */
  wakeUpPowerSwitch: 6,
  /** 7.4.1 and 7.4.2. */
  chassisOther: 1,
  stateSafe: 3,
  securityNone: 3,
  /** 7.5. */
  processorCentral: 3,
  processorFamilyOther: 1,
  processorEnabled: 0x41,
  processorUpgradeOther: 1,
  processor64Bit: 1 << 2,
  processorMultiCore: 1 << 3,
  processorMultiThread: 1 << 4,
  processorVirtualization: 1 << 6,
  /** 7.17. */
  arrayOther: 1,
  arrayUseSystem: 3,
  arrayCorrectionNone: 3,
  arrayUseExtendedCapacity: 0x8000_0000,
  /** 7.18. */
  deviceFormDimm: 9,
  deviceTypeRam: 7,
  deviceDetailOther: 2,
  deviceUseExtendedSize: 0x7fff,
  deviceTechnologyDram: 3,
  handleNone: 0xfffe,
  widthUnknown: 0xffff,
  /** 7.20. */
  mappedUseExtended: 0xffff_ffff,
} as const;
