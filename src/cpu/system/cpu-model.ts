/** Named CPU models: which features a guest sees. Only what works is ever reported. */
import { type CpuFeature, type CpuidRegister, cpuidFeatures } from '../../spec/x86/cpuid.ts';

/** Family 6, model 26, stepping 5: old enough that no guest expects more of it, or works around more, than it must. */
export const cpuSignature = 0x0001_06a5;

export interface CpuModel {
  readonly name: string;
  readonly description: string;
  readonly features: ReadonlySet<CpuFeature>;
  /** The feature bits of CPUID's leaves, by `leafKey`. */
  readonly leaves: ReadonlyMap<number, FeatureWords>;
}

export type FeatureWords = Readonly<Record<CpuidRegister, number>>;

export const leafKey = (leaf: number, subleaf: number): number => leaf * 0x100 + subleaf;

function featureLeaves(features: ReadonlySet<CpuFeature>): ReadonlyMap<number, FeatureWords> {
  const leaves = new Map<number, Record<CpuidRegister, number>>();
  for (const name of features) {
    const { leaf, subleaf, register, bit } = cpuidFeatures[name];
    const key = leafKey(leaf, subleaf);
    const words = leaves.get(key) ?? { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    words[register] |= 1 << bit;
    leaves.set(key, words);
  }
  return leaves;
}

const always: readonly CpuFeature[] = [
  'fpu',
  'de',
  'pse',
  'tsc',
  'msr',
  'pae',
  'mce',
  'cx8',
  'apic',
  'sep',
  'mtrr',
  'pge',
  'mca',
  'cmov',
  'pat',
  'clflush',
  'mmx',
  'fxsr',
  'sse',
  'sse2',
  'syscall',
  'nx',
  'lm',
  'hypervisor',
  'x2apic',
  'tsc_deadline',
  'invariant_tsc',
  // How the x87 unit keeps its pointers, whatever the model.
  'fdp_excptn_only',
  'zero_fcs_fds',
];

const v2: readonly CpuFeature[] = [...always, 'sse3', 'ssse3', 'sse4_1', 'sse4_2', 'cx16', 'popcnt', 'lahf_lm'];

const everything = Object.keys(cpuidFeatures).filter((name) => name !== 'osxsave') as CpuFeature[];

function model(name: string, description: string, names: readonly CpuFeature[]): CpuModel {
  const features = new Set(names);
  return { name, description, features, leaves: featureLeaves(features) };
}

const models: readonly CpuModel[] = [
  model('max', 'everything that the engine implements', everything),
  model('x86-64-v2', 'the x86-64-v2 level of the psABI (SSE4.2, POPCNT, CMPXCHG16B)', v2),
  model('x86-64', 'the x86-64 baseline (SSE2)', always),
];

export const cpuModelNames: readonly string[] = models.map(({ name }) => name);

export const findCpuModel = (name: string): CpuModel | undefined => models.find((known) => known.name === name);
