/** Fixed ACPI tables. Advanced Configuration and Power Interface Specification 6.3, chapter 5. */
/** Root system description pointer. 5.2.5.3. */
export const rsdp = {
  signature: 'RSD PTR ',
  /** The part that version 1 had, with a checksum of its own, and the whole. */
  bytesV1: 20,
  bytes: 36,
  revision: 2,
  checksum: 8,
  oemId: 9,
  revisionOffset: 15,
  rsdtAddress: 16,
  length: 20,
  xsdtAddress: 24,
  extendedChecksum: 32,
} as const;

export const sdtHeader = {
  bytes: 36,
  length: 4,
  revision: 8,
  checksum: 9,
  oemId: 10,
  oemTableId: 16,
  oemRevision: 24,
  creatorId: 28,
  creatorRevision: 32,
} as const;

export const tableRevision = { rsdt: 1, xsdt: 1, fadt: 6, madt: 5, hpet: 1, dsdt: 2, facs: 2 } as const;

/** FADT: offsets of fields. 5.2.9. */
export const fadt = {
  bytes: 276,
  firmwareControl: 36,
  dsdt: 40,
  preferredProfile: 45,
  sciInterrupt: 46,
  pm1aEventBlock: 56,
  pm1aControlBlock: 64,
  pmTimerBlock: 76,
  pm1EventLength: 88,
  pm1ControlLength: 89,
  pmTimerLength: 91,
  c2Latency: 96,
  c3Latency: 98,
  century: 108,
  bootArchitecture: 109,
  flags: 112,
  resetRegister: 116,
  resetValue: 128,
  minorVersion: 131,
  extendedDsdt: 140,
  extendedPm1aEvent: 148,
  extendedPm1aControl: 172,
  extendedPmTimer: 208,
  /** Minor part of version 6.3. */
  minorVersionValue: 3,
  profileDesktop: 1,
  /** Latencies beyond 100 and 1000 µs say that the state does not exist. */
  noC2: 101,
  noC3: 1001,
} as const;

/** 5.2.9, table 5-35. */
export const fadtFlag = {
  wbinvd: 1 << 0,
  c1Supported: 1 << 2,
  noSleepButton: 1 << 5,
  rtcNotFixed: 1 << 6,
  /** TMR_VAL_EXT. */
  timer32Bit: 1 << 8,
  resetRegister: 1 << 10,
} as const;

/** IA-PC boot architecture flags. 5.2.9.3. */
export const fadtBoot = { legacyDevices: 1 << 0, keyboardController: 1 << 1, noVga: 1 << 2 } as const;

/** Generic address structure. 5.2.3.2. */
export const addressSpace = { memory: 0, io: 1 } as const;
export const accessWidth = { undefined: 0, byte: 1, word: 2, dword: 3 } as const;

/** MADT. 5.2.12. */
export const madt = {
  localApicAddress: 36,
  flags: 40,
  fixedBytes: 44,
  pcatCompatible: 1,
  enabled: 1,
  allProcessors8: 0xff,
  allProcessors32: 0xffff_ffff,
  isaBus: 0,
  conforms: 0,
  activeHigh: 1,
  levelTriggered: 3 << 2,
  /** From this APIC ID on, a processor needs the x2APIC structure. */
  firstX2apicId: 255,
} as const;

export const madtType = {
  localApic: 0,
  ioApic: 1,
  sourceOverride: 2,
  localNmi: 4,
  localX2apic: 9,
  localX2apicNmi: 10,
} as const;

export const madtBytes = {
  localApic: 8,
  ioApic: 12,
  sourceOverride: 10,
  localNmi: 6,
  localX2apic: 16,
  localX2apicNmi: 12,
} as const;

/** HPET description table. IA-PC HPET Specification 1.0a, 3.2.4. */
export const hpetTable = {
  bytes: 56,
  eventTimerBlock: 36,
  baseAddress: 40,
  number: 52,
  minimumTick: 53,
  /** The shortest period, in main-counter ticks, that loses no interrupt. */
  minimumTickValue: 128,
} as const;

export const facs = { bytes: 64, alignment: 64, length: 4, version: 32 } as const;
