/** 16550A asynchronous receiver/transmitter. Source: National Semiconductor PC16550D datasheet. */
export const uartBase = { com1: 0x3f8, com2: 0x2f8, com3: 0x3e8, com4: 0x2e8 } as const;

/** The crystal of a PC divided by 16: bits per second at divisor 1. */
export const uartBaudBase = 115_200;

export const uartRegister = {
  /** RBR when read, THR when written; DLL while DLAB is set. */
  data: 0,
  /** IER; DLM while DLAB is set. */
  interruptEnable: 1,
  /** IIR when read, FCR when written. */
  interruptIdent: 2,
  lineControl: 3,
  modemControl: 4,
  lineStatus: 5,
  modemStatus: 6,
  scratch: 7,
} as const;

export const uartIer = { received: 0x01, transmitEmpty: 0x02, lineStatus: 0x04, modemStatus: 0x08, all: 0x0f } as const;

/** IIR by falling priority. */
export const uartIir = {
  lineStatus: 0x06,
  received: 0x04,
  timeout: 0x0c,
  transmitEmpty: 0x02,
  modemStatus: 0x00,
  none: 0x01,
  fifosEnabled: 0xc0,
} as const;

export const uartFcr = { enable: 0x01, clearReceive: 0x02, clearTransmit: 0x04, triggerShift: 6 } as const;

/** Receive FIFO trigger levels by FCR 7:6. */
export const uartTriggerLevels = [1, 4, 8, 14] as const;

export const uartFifoSize = 16;

export const uartLcr = { wordLength: 0x03, twoStopBits: 0x04, parity: 0x08, divisorLatch: 0x80 } as const;

export const uartMcr = { dtr: 0x01, rts: 0x02, out1: 0x04, out2: 0x08, loop: 0x10, all: 0x1f } as const;

export const uartLsr = {
  dataReady: 0x01,
  overrun: 0x02,
  parityError: 0x04,
  framingError: 0x08,
  breakInterrupt: 0x10,
  transmitHoldingEmpty: 0x20,
  transmitterEmpty: 0x40,
  fifoError: 0x80,
} as const;

export const uartMsr = {
  deltaCts: 0x01,
  deltaDsr: 0x02,
  trailingRing: 0x04,
  deltaDcd: 0x08,
  cts: 0x10,
  dsr: 0x20,
  ring: 0x40,
  dcd: 0x80,
} as const;
