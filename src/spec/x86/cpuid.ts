/** CPUID feature bits by leaf and register. SDM Vol. 2A "CPUID"; AMD APM Vol. 3 appendix E for 0x8000_000x. */

export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface FeatureBit {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: CpuidRegister;
  readonly bit: number;
}

const at = (leaf: number, register: CpuidRegister, bit: number, subleaf = 0): FeatureBit => ({
  leaf,
  subleaf,
  register,
  bit,
});

/** Names as Linux prints them in /proc/cpuinfo, except where the SDM's mnemonic is clearer. */
export const cpuidFeatures = {
  fpu: at(1, 'edx', 0),
  de: at(1, 'edx', 2),
  pse: at(1, 'edx', 3),
  tsc: at(1, 'edx', 4),
  msr: at(1, 'edx', 5),
  pae: at(1, 'edx', 6),
  mce: at(1, 'edx', 7),
  cx8: at(1, 'edx', 8),
  apic: at(1, 'edx', 9),
  sep: at(1, 'edx', 11),
  mtrr: at(1, 'edx', 12),
  pge: at(1, 'edx', 13),
  mca: at(1, 'edx', 14),
  cmov: at(1, 'edx', 15),
  pat: at(1, 'edx', 16),
  clflush: at(1, 'edx', 19),
  mmx: at(1, 'edx', 23),
  fxsr: at(1, 'edx', 24),
  sse: at(1, 'edx', 25),
  sse2: at(1, 'edx', 26),
  sse3: at(1, 'ecx', 0),
  ssse3: at(1, 'ecx', 9),
  cx16: at(1, 'ecx', 13),
  pcid: at(1, 'ecx', 17),
  sse4_1: at(1, 'ecx', 19),
  sse4_2: at(1, 'ecx', 20),
  x2apic: at(1, 'ecx', 21),
  movbe: at(1, 'ecx', 22),
  popcnt: at(1, 'ecx', 23),
  tsc_deadline: at(1, 'ecx', 24),
  xsave: at(1, 'ecx', 26),
  osxsave: at(1, 'ecx', 27),
  rdrand: at(1, 'ecx', 30),
  hypervisor: at(1, 'ecx', 31),
  fsgsbase: at(7, 'ebx', 0),
  tsc_adjust: at(7, 'ebx', 1),
  bmi1: at(7, 'ebx', 3),
  fdp_excptn_only: at(7, 'ebx', 6),
  zero_fcs_fds: at(7, 'ebx', 13),
  smep: at(7, 'ebx', 7),
  bmi2: at(7, 'ebx', 8),
  erms: at(7, 'ebx', 9),
  invpcid: at(7, 'ebx', 10),
  rdseed: at(7, 'ebx', 18),
  adx: at(7, 'ebx', 19),
  smap: at(7, 'ebx', 20),
  clflushopt: at(7, 'ebx', 23),
  umip: at(7, 'ecx', 2),
  serialize: at(7, 'edx', 14),
  xsaveopt: at(0xd, 'eax', 0, 1),
  lahf_lm: at(0x8000_0001, 'ecx', 0),
  lzcnt: at(0x8000_0001, 'ecx', 5),
  prefetchw: at(0x8000_0001, 'ecx', 8),
  syscall: at(0x8000_0001, 'edx', 11),
  nx: at(0x8000_0001, 'edx', 20),
  pdpe1gb: at(0x8000_0001, 'edx', 26),
  rdtscp: at(0x8000_0001, 'edx', 27),
  lm: at(0x8000_0001, 'edx', 29),
  invariant_tsc: at(0x8000_0007, 'edx', 8),
} as const satisfies Record<string, FeatureBit>;

export type CpuFeature = keyof typeof cpuidFeatures;
