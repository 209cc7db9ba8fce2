/** ACPI Machine Language: encodings. ACPI Specification 6.3, chapter 20. */
export const amlOp = {
  zero: 0x00,
  one: 0x01,
  name: 0x08,
  bytePrefix: 0x0a,
  wordPrefix: 0x0b,
  dwordPrefix: 0x0c,
  stringPrefix: 0x0d,
  qwordPrefix: 0x0e,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  extended: 0x5b,
  /** After `extended`. */
  device: 0x82,
  root: 0x5c,
  dualName: 0x2e,
  multiName: 0x2f,
} as const;

/** Resource descriptors. ACPI Specification 6.3, 6.4. */
export const resourceTag = {
  irqNoFlags: 0x22,
  io: 0x47,
  endTag: 0x79,
  memory32Fixed: 0x86,
  dwordSpace: 0x87,
  wordSpace: 0x88,
  qwordSpace: 0x8a,
} as const;

export const resourceSpace = { memory: 0, io: 1, bus: 2 } as const;

export const resourceFlag = {
  decode16: 1,
  readWrite: 1,
  /** General flags of an address space: produced, positively decoded, both ends fixed. */
  producerFixed: 0x0c,
  ioEntireRange: 3,
  /** Type flags of memory: read-write, cacheable or not. */
  memoryUncached: 1,
  memoryCacheable: 3,
} as const;

/** Plug and Play identifiers of what the board has. */
export const pnpId = {
  pciRootBridge: 'PNP0A03',
  rtc: 'PNP0B00',
  keyboard: 'PNP0303',
  mouse: 'PNP0F13',
  serialPort: 'PNP0501',
  hpet: 'PNP0103',
} as const;

/** Identifiers in string form. */
export const acpiId = { processor: 'ACPI0007', fwCfg: 'QEMU0002' } as const;
