/** Bits of EFLAGS, control and debug registers, EFER. SDM Vol. 1 3.4.3, Vol. 3A 2.2.1, 2.5, 17.2. */

export const eflags = {
  cf: 0x1,
  pf: 0x4,
  af: 0x10,
  zf: 0x40,
  sf: 0x80,
  tf: 0x100,
  if: 0x200,
  df: 0x400,
  of: 0x800,
  iopl: 0x3000,
  nt: 0x4000,
  rf: 0x1_0000,
  vm: 0x2_0000,
  ac: 0x4_0000,
  vif: 0x8_0000,
  vip: 0x10_0000,
  id: 0x20_0000,
} as const;

export const cr0 = {
  pe: 0x1,
  mp: 0x2,
  em: 0x4,
  ts: 0x8,
  et: 0x10,
  ne: 0x20,
  wp: 0x1_0000,
  am: 0x4_0000,
  nw: 0x2000_0000,
  cd: 0x4000_0000,
  pg: 0x8000_0000,
} as const;

export const cr4 = {
  vme: 0x1,
  pvi: 0x2,
  tsd: 0x4,
  de: 0x8,
  pse: 0x10,
  pae: 0x20,
  mce: 0x40,
  pge: 0x80,
  pce: 0x100,
  osfxsr: 0x200,
  osxmmexcpt: 0x400,
  umip: 0x800,
  fsgsbase: 0x1_0000,
  pcide: 0x2_0000,
  osxsave: 0x4_0000,
  smep: 0x10_0000,
  smap: 0x20_0000,
} as const;

export const efer = { sce: 0x1, lme: 0x100, lma: 0x400, nxe: 0x800 } as const;

/** DR6 and DR7. */
export const dr6 = { b0: 1, bd: 0x2000, bs: 0x4000, bt: 0x8000, fixedOnes: 0xffff_0ff0 } as const;
export const dr7 = { le: 0x100, ge: 0x200, gd: 0x2000, fixedOnes: 0x400 } as const;
