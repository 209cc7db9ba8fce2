/** Bits shared by the x87 control/status words and MXCSR. SDM Vol. 1, 8.1.3, 8.1.5 and 10.2.3. */

/** Exception flags: FSW and MXCSR bits 0…5; the masks have the same order (FCW bits 0…5, MXCSR bits 7…12). */
export const floatException = {
  invalid: 0x01,
  denormal: 0x02,
  zeroDivide: 0x04,
  overflow: 0x08,
  underflow: 0x10,
  precision: 0x20,
  all: 0x3f,
} as const;

/** RC field of FCW (bits 10–11), MXCSR (bits 13–14) and the ROUNDxx immediate (bits 0–1). SDM Vol. 1 table 4-8. */
export const roundingControl = { nearest: 0, down: 1, up: 2, truncate: 3 } as const;

/** PC field of FCW (bits 8–9): the width in bits of the significand. SDM Vol. 1 table 8-2; 1 is reserved. */
export const precisionControl = { single: 0, double: 2, extended: 3 } as const;

/** Condition codes in FSW. SDM Vol. 1 figure 8-4. */
export const x87Condition = { c0: 0x0100, c1: 0x0200, c2: 0x0400, c3: 0x4000 } as const;

/** Fields of the ROUNDPS/ROUNDSS immediate. SDM Vol. 2B "ROUNDPD", figure 4-24. */
export const roundImmediate = { rcMask: 0x3, useMxcsr: 0x4, suppressPrecision: 0x8 } as const;

/**
 * The 66-bit pi of the x87 argument reduction, as an integer: pi = value * 2^-66.
 * SDM Vol. 1, 8.3.8: 0.C90FDAA2 2168C234 C × 2^2.
 */
export const x87Pi66 = { significand: 0xc90fdaa22168c234cn, fractionBits: 66 } as const;
