/** MXCSR. SDM Vol. 1, 10.2.3 and 11.6.6 (MXCSR_MASK). Flags in bits 5:0 and masks in bits 12:7 as `floatException`. */
export const mxcsr = {
  precision: 0x20,
  daz: 0x40,
  maskShift: 7,
  allMasks: 0x1f80,
  precisionMask: 0x1000,
  roundingMask: 0x6000,
  roundingShift: 13,
  ftz: 0x8000,
  reset: 0x1f80,
  /** The bits that exist; setting another one is #GP(0). */
  validBits: 0xffff,
} as const;
