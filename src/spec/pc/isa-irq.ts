/** Which device has which ISA interrupt. IBM PC/AT Technical Reference, "System Interrupts". */
export const isaIrq = { timer: 0, keyboard: 1, com2: 3, com1: 4, rtc: 8, mouse: 12, count: 16 } as const;

/** I/O APIC inputs that are not those of the same ISA interrupt. MultiProcessor Specification 1.4, table 4-11 and B.2. */
export const ioApicInput = {
  /** INTR of the 8259 pair. */
  pic: 0,
  /** The 8254, because input 0 is taken. */
  timer: 2,
  /** PIRQA to PIRQD come directly behind the ISA interrupts. */
  firstPirq: 16,
} as const;
