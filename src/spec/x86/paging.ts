/** Paging-structure entries and #PF error codes. SDM Vol. 3A chapter 4. */

export const pte = {
  present: 0x1,
  writable: 0x2,
  user: 0x4,
  accessed: 0x20,
  dirty: 0x40,
  /** In a PDE or PDPTE: maps a large page. */
  pageSize: 0x80,
  global: 0x100,
} as const;

/** Bits of a 64-bit entry's upper half. */
export const pteHigh = { noExecute: 0x8000_0000 } as const;

/** SDM Vol. 3A 4.7. */
export const pageFaultError = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;

/** MAXPHYADDR that CPUID reports (leaf 0x80000008). */
export const physicalAddressBits = 40;
