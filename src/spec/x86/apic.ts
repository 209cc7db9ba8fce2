/** Local APIC and I/O APIC: registers and fields. SDM Vol. 3A chapter 12 ("APIC"), Intel 82093AA data sheet. */

/** Model-specific registers of the local APIC. SDM Vol. 4. */
export const apicMsr = {
  base: 0x1b,
  tscDeadline: 0x6e0,
  /** Registers in x2APIC mode: MSR 0x800 + (xAPIC offset >> 4). SDM Vol. 3A 12.12.1.2. */
  x2apicFirst: 0x800,
  x2apicLast: 0x83f,
} as const;

/** IA32_APIC_BASE. SDM Vol. 3A 12.4.4 and 12.12.1. */
export const apicBase = {
  bootstrapProcessor: 1n << 8n,
  extended: 1n << 10n,
  enable: 1n << 11n,
  /** Bits that stay zero whatever the width of physical addresses: 7:0 and 9. */
  reservedLow: 0x2ffn,
  addressMask: ~0xfffn,
  defaultAddress: 0xfee0_0000,
  /** The register page. */
  pageBytes: 0x1000,
} as const;

/** Offsets in the xAPIC register page. SDM Vol. 3A table 12-1. */
export const apicRegister = {
  id: 0x020,
  version: 0x030,
  taskPriority: 0x080,
  arbitrationPriority: 0x090,
  processorPriority: 0x0a0,
  endOfInterrupt: 0x0b0,
  remoteRead: 0x0c0,
  logicalDestination: 0x0d0,
  destinationFormat: 0x0e0,
  spuriousVector: 0x0f0,
  inService: 0x100,
  triggerMode: 0x180,
  interruptRequest: 0x200,
  errorStatus: 0x280,
  interruptCommandLow: 0x300,
  interruptCommandHigh: 0x310,
  lvtTimer: 0x320,
  lvtThermal: 0x330,
  lvtPerformance: 0x340,
  lvtLint0: 0x350,
  lvtLint1: 0x360,
  lvtError: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divideConfiguration: 0x3e0,
  /** In x2APIC mode only. */
  selfIpi: 0x3f0,
} as const;

/** An integrated APIC with six LVT entries that can suppress EOI broadcasts. SDM Vol. 3A 12.4.8. */
export const apicVersionValue = 0x0105_0014;

/** Spurious-interrupt vector register. SDM Vol. 3A 12.9. */
export const apicSpurious = {
  vectorMask: 0xff,
  softwareEnable: 1 << 8,
  suppressEoiBroadcast: 1 << 12,
  writable: 0x11ff,
  resetValue: 0xff,
} as const;

/** Local vector table entries. SDM Vol. 3A 12.5.1. */
export const apicLvt = {
  vectorMask: 0xff,
  deliveryModeShift: 8,
  deliveryModeMask: 7 << 8,
  activeLow: 1 << 13,
  remoteIrr: 1 << 14,
  levelTriggered: 1 << 15,
  masked: 1 << 16,
  timerModeMask: 3 << 17,
  timerOneShot: 0,
  timerPeriodic: 1 << 17,
  timerTscDeadline: 2 << 17,
} as const;

/** Delivery modes of the ICR, LVT entries, redirection entries and message data. SDM Vol. 3A 12.6.1. */
export const deliveryMode = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startUp: 6,
  externalInterrupt: 7,
} as const;

/** Interrupt command register, low half. SDM Vol. 3A 12.6.1. */
export const apicCommand = {
  vectorMask: 0xff,
  deliveryModeShift: 8,
  logical: 1 << 11,
  levelAssert: 1 << 14,
  levelTriggered: 1 << 15,
  shorthandShift: 18,
  writable: 0xc_cfff,
} as const;

/** Destination shorthand of the ICR. SDM Vol. 3A 12.6.1. */
export const apicShorthand = { none: 0, self: 1, allIncludingSelf: 2, allExcludingSelf: 3 } as const;

/** Error status register. SDM Vol. 3A 12.5.3. */
export const apicError = {
  sendIllegalVector: 1 << 5,
  receivedIllegalVector: 1 << 6,
  illegalRegister: 1 << 7,
} as const;

/** Vectors below this one cannot be sent or received. SDM Vol. 3A 12.5.2. */
export const firstLegalVector = 16;

/** Destination format register, bits 31:28. SDM Vol. 3A 12.6.2.2. */
export const apicDestinationFormat = {
  flat: 0xf,
  cluster: 0x0,
  writable: 0xf000_0000,
  resetValue: 0xffff_ffff,
} as const;

/** Message address and data of message-signalled interrupts. SDM Vol. 3A 12.11. */
export const msiFormat = {
  addressBase: 0xfee0_0000,
  addressMask: 0xfff0_0000,
  destinationShift: 12,
  redirectionHint: 1 << 3,
  logical: 1 << 2,
  vectorMask: 0xff,
  deliveryModeShift: 8,
  levelAssert: 1 << 14,
  levelTriggered: 1 << 15,
} as const;

/** I/O APIC. Intel 82093AA data sheet 3.1 and 3.2; the EOI register comes with version 0x20. */
export const ioApic = {
  defaultAddress: 0xfec0_0000,
  pageBytes: 0x1000,
  pinCount: 24,
  versionWithEoi: 0x20,
  /** Offsets in the memory-mapped window. */
  selectOffset: 0x00,
  windowOffset: 0x10,
  eoiOffset: 0x40,
  /** Indexes behind the window. */
  idIndex: 0,
  versionIndex: 1,
  arbitrationIndex: 2,
  redirectionIndex: 0x10,
  idShift: 24,
  idMask: 0xf,
  maximumEntryShift: 16,
} as const;

/** Redirection table entry: bits of the low half, and of the high half. Intel 82093AA data sheet 3.2.4. */
export const ioApicEntry = {
  vectorMask: 0xff,
  deliveryModeShift: 8,
  logical: 1 << 11,
  activeLow: 1 << 13,
  remoteIrr: 1 << 14,
  levelTriggered: 1 << 15,
  masked: 1 << 16,
  /** All but delivery status and remote IRR. */
  lowWritable: 0x1_afff,
  highWritable: 0xff00_0000,
  destinationShift: 24,
} as const;
