/** 8259A interrupt controller pair. Source: Intel 8259A datasheet (order 231468); ELCR: 82371SB (PIIX3) datasheet 2.5.3. */
export const picPort = {
  masterCommand: 0x20,
  masterData: 0x21,
  slaveCommand: 0xa0,
  slaveData: 0xa1,
  elcrMaster: 0x4d0,
  elcrSlave: 0x4d1,
} as const;

/** ICW1: written to the command port with bit 4 set. */
export const icw1 = { needIcw4: 0x01, single: 0x02, init: 0x10 } as const;

export const icw4 = { mode8086: 0x01, autoEoi: 0x02, specialFullyNested: 0x10 } as const;

/** OCW2 commands, bits 7:5 (R, SL, EOI). */
export const ocw2 = {
  rotateAutoEoiClear: 0x00,
  nonSpecificEoi: 0x20,
  noOperation: 0x40,
  specificEoi: 0x60,
  rotateAutoEoiSet: 0x80,
  rotateNonSpecificEoi: 0xa0,
  setPriority: 0xc0,
  rotateSpecificEoi: 0xe0,
  commandMask: 0xe0,
} as const;

/** OCW3: written to the command port with bit 3 set and bit 4 clear. */
export const ocw3 = {
  readIsr: 0x01,
  readRegister: 0x02,
  poll: 0x04,
  select: 0x08,
  specialMask: 0x20,
  enableSpecialMask: 0x40,
} as const;

/** The master's input that the slave drives on a PC. */
export const picCascadeInput = 2;

/** ELCR bits that can be set: IRQ 0, 1, 2, 8 and 13 are edge-triggered for ever. */
export const elcrWritable = { master: 0xf8, slave: 0xde } as const;
