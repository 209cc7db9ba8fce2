/** Conventional PCI. Source: PCI Local Bus Specification 3.0; register defaults of the bridges: 82441FX and 82371SB datasheets. */
export const pciPort = { address: 0xcf8, data: 0xcfc, dataLast: 0xcff } as const;

/** Configuration mechanism 1: enable, bus, device, function, doubleword. Section 3.2.2.3.2. */
export const pciAddress = {
  enable: 0x8000_0000,
  writable: 0x80ff_fffc,
  busShift: 16,
  deviceShift: 11,
  functionShift: 8,
} as const;

/** Type 00h configuration header. Section 6.1. */
export const pciConfig = {
  size: 256,
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  cacheLineSize: 0x0c,
  latencyTimer: 0x0d,
  headerType: 0x0e,
  bar0: 0x10,
  barCount: 6,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  /** The first byte that the header leaves to the device. */
  deviceSpecific: 0x40,
} as const;

export const pciCommand = {
  io: 0x0001,
  memory: 0x0002,
  busMaster: 0x0004,
  parityError: 0x0040,
  serr: 0x0100,
  interruptDisable: 0x0400,
} as const;

export const pciStatus = {
  interrupt: 0x0008,
  capabilities: 0x0010,
  /** Error bits, cleared by writing ones. */
  errors: 0xf900,
} as const;

export const pciMultiFunction = 0x80;

/** Low bits of a base address register. Section 6.2.5.1. */
export const pciBar = {
  io: 0x1,
  memory64: 0x4,
  prefetchable: 0x8,
  ioMask: 0xffff_fffc,
  memoryMask: 0xffff_fff0,
} as const;

export const pciClass = { hostBridge: 0x06_00_00, isaBridge: 0x06_01_00 } as const;

/** What QEMU's machines say of themselves; firmware for them looks for it. Source: QEMU docs/specs/pci-ids. */
export const qemuSubsystem = { vendor: 0x1af4, device: 0x1100 } as const;

/** 82441FX: programmable attribute map, one byte for F0000h–FFFFFh and six for C0000h–EFFFFh. Datasheet 3.2.19. */
export const programmableAttributes = {
  first: 0x59,
  count: 7,
  mask: 0x33,
  topReadWrite: 0x30,
  readWrite: 0x33,
} as const;

export const intelId = { vendor: 0x8086, hostBridge440fx: 0x1237, isaBridgePiix3: 0x7000 } as const;

/** 82371SB: PIRQ route control and the passive release bit that Linux sets. */
export const piix3 = {
  pirqRoute: 0x60,
  pirqDisable: 0x80,
  pirqIrqMask: 0x0f,
  /** The ISA interrupts that a PIRQ may be routed to. */
  routable: 0xdef8,
  deterministicLatency: 0x82,
  deterministicLatencyMask: 0x0f,
} as const;

/** Capability IDs. PCI Code and ID Assignment Specification. */
export const pciCapability = { vendor: 0x09, msix: 0x11 } as const;

/** The MSI-X capability and its table. PCI Local Bus Specification 3.0, 6.8.2. */
export const msix = {
  /** Message control, from the capability's first byte on. */
  control: 2,
  table: 4,
  pendingBits: 8,
  size: 12,
  enable: 0x8000,
  functionMask: 0x4000,
  entrySize: 16,
  addressLow: 0,
  addressHigh: 4,
  data: 8,
  vectorControl: 12,
  masked: 1,
} as const;
