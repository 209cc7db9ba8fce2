/** Flat segments and what else boot protocols put into a processor. SDM Vol. 3A 3.4.5 and 2.3. */

/** Attributes in the layout of VMX access rights: access byte in bits 7:0, AVL, L, D/B, G in bits 15:12. */
export const flatAttributes = {
  /** Present, ring 0, execute/read, accessed, 4-KiB granularity; 32-bit or 64-bit. */
  code32: 0xc09b,
  code64: 0xa09b,
  /** Present, ring 0, read/write, accessed, 32-bit, 4-KiB granularity. */
  data: 0xc093,
  busyTss: 0x008b,
  ldt: 0x0082,
} as const;

/** Bit 1 of EFLAGS is always set. */
export const rflagsFixed = 0x2;
