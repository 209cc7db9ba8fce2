/**
 * What a case and its result consist of, and the address space they run in. Executors agree on this page alone; its
 * other half is at the top of native.c.
 */

/** Linear address space: these pages, all user-accessible, and nothing else that a case may touch. */
export const region = {
  /** Read, write, execute. Filled with INT3; unmapped behind. */
  code: { address: 0x6000_0000, size: 0x1_0000 },
  /** Read, write. The window whose contents are compared; unmapped before and behind. */
  data: { address: 0x6100_0000, size: 0x2000 },
  /** Read only. */
  readOnly: { address: 0x6110_0000, size: 0x1000 },
} as const;

/** Bits 16–31 of ESP when SS is a 16-bit segment: IRET, which enters a case, cannot load them. */
export const espHigh16 = 0x6200_0000;

/** Selectors of the segments a case may run in or load. The first four are those of Linux's GDT. */
export const selector = {
  code32: 0x23,
  data: 0x2b,
  code64: 0x33,
  /** LDT: 16-bit code at `region.code`. */
  code16: 0x07,
  /** 16-bit data with `region.data` at 0x4000, far from its limit. */
  data16Middle: 0x0f,
  /** 16-bit data with `region.data` at 0xe000, up to its limit. */
  data16Top: 0x17,
  /** 32-bit data of exactly `region.data`. */
  dataSmall: 0x1f,
  dataReadOnly: 0x27,
  codeExecuteOnly: 0x2f,
  /** 32-bit data at `region.data`, expand-down: its second page and everything above. */
  dataExpandDown: 0x37,
  dataNotPresent: 0x3f,
  /** 32-bit code at `region.code`. */
  code32Based: 0x47,
} as const;

/** A segment descriptor as its 8 bytes. `attributes`: bits 40–55 of it (type, S, DPL, P, then AVL, L, D/B, G in 12–15). */
function descriptor(base: number, limit: number, attributes: number): bigint {
  const low = (BigInt(base & 0xffff) << 16n) | BigInt(limit & 0xffff);
  const high = (base & 0xff00_0000) | ((base >>> 16) & 0xff) | (limit & 0xf_0000) | ((attributes & 0xf0ff) << 8);
  return (BigInt(high >>> 0) << 32n) | low;
}

/**
 * Contents of the GDT by entry number: Linux's, as far as user code can see (SDM Vol. 2A "LAR"). Entries 1–3 are the
 * kernel's, 8–11 its TSS and LDT descriptors: user code learns nothing about either but that they are not for it.
 */
export const gdt: Readonly<Record<number, bigint>> = {
  1: descriptor(0, 0xf_ffff, 0xc09b),
  2: descriptor(0, 0xf_ffff, 0xa09b),
  3: descriptor(0, 0xf_ffff, 0xc093),
  4: descriptor(0, 0xf_ffff, 0xc0fb),
  5: descriptor(0, 0xf_ffff, 0xc0f3),
  6: descriptor(0, 0xf_ffff, 0xa0fb),
  // Linux keeps processor and node number in its limit: whatever that is, the segment can be loaded.
  15: descriptor(0, 0, 0x40f5),
};

/** Number of entries of the GDT; selectors from 0x80 on are beyond its limit. */
export const gdtEntries = 16;

const { code, data } = region;

/** Contents of the LDT by entry number. */
export const ldt: readonly bigint[] = [
  descriptor(code.address, 0xffff, 0x00fb),
  descriptor(data.address - 0x4000, 0xffff, 0x00f3),
  descriptor(data.address - 0xe000, 0xffff, 0x00f3),
  descriptor(data.address, 0x1fff, 0x40f3),
  descriptor(0, 0xf_ffff, 0xc0f1),
  descriptor(0, 0xf_ffff, 0xc0f9),
  descriptor(data.address, 0xfff, 0x40f7),
  descriptor(0, 0xf_ffff, 0xc073),
  descriptor(code.address, 0xffff, 0x40fb),
];

/** Base address of a segment that a case may use, outside 64-bit mode. */
export function segmentBase(value: number): number {
  if ((value & 4) === 0) return 0;
  const entry = ldt[value >> 3] ?? 0n;
  return Number(((entry >> 16n) & 0xff_ffffn) | (((entry >> 56n) & 0xffn) << 24n));
}

/** Default operand and address size of a code segment. */
export function codeSize(cs: number): 16 | 32 | 64 {
  if (cs === selector.code64) return 64;
  return cs === selector.code16 ? 16 : 32;
}

/** Byte offsets in a state, the same in a case (before) and a result (after). */
export const stateField = {
  /** RAX…R15 as ModRM numbers them, u64 each. */
  gpr: 0,
  /** u64, offset in CS. In a fault: where the saved RIP would point. */
  rip: 128,
  /** u64. RF is not part of it. */
  rflags: 136,
  fsBase: 144,
  gsBase: 152,
  /** ES, CS, SS, DS, FS, GS, u16 each. */
  selectors: 160,
  /** u8. In a result: the exception's vector, or `noFault`, or `hang`. */
  vector: 172,
  /** u32. Error code; 0 for vectors without. */
  error: 176,
  /** u64. Linear address of a page fault; otherwise 0. */
  cr2: 184,
  /** 512 bytes as FXSAVE64 stores them (x87, MMX, XMM, MXCSR). Bytes 416 and up count for nothing. */
  fx: 192,
  size: 704,
} as const;

/** Offsets in the FXSAVE area (SDM Vol. 1 10.5.1). */
export const fxField = {
  fcw: 0,
  fsw: 2,
  ftw: 4,
  fop: 6,
  fip: 8,
  fdp: 16,
  mxcsr: 24,
  st: 32,
  xmm: 160,
  end: 416,
} as const;

export const noFault = 0xff;
export const hang = 0xfe;

/** Offsets in a case record; patches follow: u32 address, u32 length, bytes padded to 8. */
export const caseField = {
  state: 0,
  codeLength: 704,
  code: 705,
  flags: 720,
  patchCount: 724,
  recordSize: 728,
  size: 736,
} as const;

/** Offsets in a result record; changes follow in the shape of patches: the quadwords of the window that changed. */
export const resultField = { state: 0, changeCount: 704, recordSize: 708, size: 712 } as const;

/** Case flag: control falls through to the next instruction (or faults), so the quick way out may stand there. */
export const fallsThrough = 1;

export const batchMagic = 0x3152_4f43;
export const batchHeaderSize = 64;

/** What `region.data` and `region.readOnly` hold before a case's patches. */
export function basePattern(): Uint8Array {
  const bytes = new Uint8Array(region.data.size);
  let x = 0x1234_5678;
  for (let i = 0; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
