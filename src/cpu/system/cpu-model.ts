/** Named CPU models: which features a guest sees. Only what works is ever reported. */
import { type CpuFeature, cpuidFeatures } from '../../spec/x86/cpuid.ts';

/** Family 6, model 26, stepping 5: old enough that no guest expects more of it, or works around more, than it must. */
export const cpuSignature = 0x0001_06a5;

export interface CpuModel {
  readonly name: string;
  readonly description: string;
  readonly features: ReadonlySet<CpuFeature>;
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

const models: readonly CpuModel[] = [
  { name: 'max', description: 'everything that the engine implements', features: new Set(everything) },
  {
    name: 'x86-64-v2',
    description: 'the x86-64-v2 level of the psABI (SSE4.2, POPCNT, CMPXCHG16B)',
    features: new Set(v2),
  },
  { name: 'x86-64', description: 'the x86-64 baseline (SSE2)', features: new Set(always) },
];

export const cpuModelNames: readonly string[] = models.map(({ name }) => name);

export const findCpuModel = (name: string): CpuModel | undefined => models.find((model) => model.name === name);
