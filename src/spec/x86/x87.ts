/** x87 status and control words, environments, FXSAVE and XSAVE images. SDM Vol. 1 8.1, 10.5, 13.4. */

export const x87Status = {
  /** Stack fault. */
  sf: 0x40,
  /** ES (exception summary) and B (busy), which always agree. */
  summary: 0x8080,
  es: 0x80,
  conditions: 0x4700,
  topShift: 11,
  topMask: 0x3800,
  fopMask: 0x7ff,
} as const;

/** FCW bits that exist: masks, PC, RC, and X (bit 12), which nothing reads. Bit 6 reads as 1. */
export const x87Control = { writable: 0x1f3f, fixedOnes: 0x40, pcShift: 8, rcShift: 10 } as const;

/** SDM Vol. 3A table 9-1, Vol. 2A "FINIT". */
export const x87Reset = { fcwAfterInit: 0x37f, fcwAfterReset: 0x40 } as const;

/** Tags of the full tag word, two bits a register. SDM Vol. 1 8.1.7. */
export const x87Tag = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

/** The FXSAVE image, also the legacy region of an XSAVE area. SDM Vol. 1 table 10-2. */
export const fxImage = {
  fcw: 0,
  fsw: 2,
  /** One bit a physical register: 1 = not empty. */
  ftw: 4,
  fop: 6,
  fip: 8,
  /** Without REX.W: selectors behind 32-bit offsets. */
  fcs: 12,
  fdp: 16,
  fds: 20,
  mxcsr: 24,
  mxcsrMask: 28,
  /** ST(0)…ST(7), 16 bytes each. */
  st: 32,
  xmm: 160,
  /** XMM8–XMM15 exist in 64-bit mode only. */
  xmmUpper: 288,
  xmmEnd: 416,
  size: 512,
} as const;

/** Header of an XSAVE area, and what follows it. SDM Vol. 1 13.4.2. */
export const xsaveHeader = { xstateBv: 512, xcompBv: 520, reserved: 528, end: 576, checkedEnd: 536 } as const;

/** State components, bits of XCR0 and XSTATE_BV. SDM Vol. 1 13.1. */
export const xstate = { x87: 1, sse: 2 } as const;
