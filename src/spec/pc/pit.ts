/** 8254 interval timer. Source: Intel 82C54 datasheet (order 231244). */
export const pitHz = 1_193_182;

export const pitPort = { channel0: 0x40, channel1: 0x41, channel2: 0x42, control: 0x43 } as const;

/** Control word: SC1:0 counter, RW1:0 access, M2:0 mode, BCD. */
export const pitControl = { bcd: 0x01, modeShift: 1, accessShift: 4, counterShift: 6, readBack: 3 } as const;

/** RW1:0 of the control word. */
export const pitAccess = { latch: 0, low: 1, high: 2, lowThenHigh: 3 } as const;

/** Read-back command: a clear bit asks for the latch. */
export const pitReadBack = { notStatus: 0x10, notCount: 0x20 } as const;

/** Status byte, bits above the programmed control bits. */
export const pitStatus = { nullCount: 0x40, output: 0x80 } as const;

/** NMI status and control register. Source: 82371SB (PIIX3) datasheet 2.5.2.4. */
export const systemControlB = {
  port: 0x61,
  timer2Gate: 0x01,
  speakerEnable: 0x02,
  serrDisable: 0x04,
  iochkDisable: 0x08,
  refreshToggle: 0x10,
  timer2Out: 0x20,
} as const;

/** The refresh request that bit 4 of port 61h shows comes from counter 1, by convention every 18 ticks (15.09 µs). */
export const refreshPeriodTicks = 18;
