/** CPUID. SDM Vol. 2A "CPUID"; hypervisor leaves: Linux Documentation/virt/kvm/x86/cpuid.rst. */
import { physicalAddressBits } from '../../spec/x86/paging.ts';
import { cr4 } from '../../spec/x86/registers.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { cpuSignature, type FeatureWords, leafKey } from './cpu-model.ts';
import { apicIdShifts, type Topology } from './topology.ts';
import { fpuStateSize } from './xsave-layout.ts';

type Leaf = [eax: number, ebx: number, ecx: number, edx: number];

const maxBasic = 0x1f;
const maxHypervisor = 0x4000_0010;
const maxExtended = 0x8000_0008;

const brand = 'Corbel virtual x86-64 processor';

/** ASCII → little-endian words. */
function words(text: string, count: number): number[] {
  return Array.from({ length: count }, (_, word) =>
    [0, 1, 2, 3].reduce((value, byte) => value | ((text.charCodeAt(word * 4 + byte) || 0) << (byte * 8)), 0),
  );
}

const noFeatures: FeatureWords = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** Feature bits of one leaf. */
const featureWords = (cpu: Processor, leaf: number, subleaf = 0): FeatureWords =>
  cpu.model.leaves.get(leafKey(leaf, subleaf)) ?? noFeatures;

/** TSC and local-APIC timer both count nanoseconds. */
const tscKhz = 1_000_000;

/** kvmclock (new MSRs), no delays on port I/O, a clock that is stable across vCPUs. */
const kvmFeatures = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 24);

/** Leaf 1: the count of IDs in the package means something. */
const hyperThreading = 1 << 28;
const archCapabilities = 1 << 29;
const speculationControl = 1 << 26;
/** BHI_CTRL, leaf 7 subleaf 2. */
const branchHistoryControl = 1 << 4;

function basicLeaf(cpu: Processor, leaf: number, subleaf: number): Leaf {
  switch (leaf) {
    case 0:
      // GenuineIntel
      return [maxBasic, 0x756e_6547, 0x6c65_746e, 0x4965_6e69];
    case 1: {
      const bits = featureWords(cpu, leaf);
      const osxsave = cpu.model.features.has('xsave') && (cpu.state.low('cr4') & cr4.osxsave) !== 0 ? 1 << 27 : 0;
      const clflushLine = 8 << 8;
      const ids = 1 << apicIdShifts(cpu.topology).package;
      const shared = ids > 1 ? hyperThreading : 0;
      const misc = clflushLine | (ids << 16) | (cpu.apicId << 24);
      return [cpuSignature, misc, bits.ecx | osxsave, bits.edx | shared];
    }
    case 4:
      return cacheLeaf(cpu.topology, subleaf);
    case 6:
      // ARAT: the APIC timer never stops.
      return [4, 0, 0, 0];
    case 7:
      return structuredLeaf(featureWords(cpu, leaf), subleaf);
    case 0xb:
    case 0x1f:
      return topologyLeaf(cpu, subleaf);
    case 0xd:
      return xsaveLeaf(cpu, subleaf);
    case 0x15:
      return [1, 1, tscKhz * 1000, 0];
    case 0x16:
      return [tscKhz / 1000, tscKhz / 1000, 100, 0];
    default:
      return [0, 0, 0, 0];
  }
}

/** The engine does not speculate: ARCH_CAPABILITIES and SPEC_CTRL say so, and guests drop their mitigations. */
function structuredLeaf(bits: FeatureWords, subleaf: number): Leaf {
  if (subleaf === 0) return [2, bits.ebx, bits.ecx, bits.edx | archCapabilities | speculationControl];
  return subleaf === 2 ? [0, 0, 0, branchHistoryControl] : [0, 0, 0, 0];
}

/** L1 data, L1 instruction, L2, which the threads of a core share; 64-byte lines. Counts of IDs are powers of two. */
function cacheLeaf(topology: Topology, subleaf: number): Leaf {
  const line = 63;
  const shifts = apicIdShifts(topology);
  const coresInPackage = (1 << (shifts.package - shifts.core)) - 1;
  const sharing = (coresInPackage << 26) | (((1 << shifts.core) - 1) << 14);
  if (subleaf === 0) return [sharing | 0x121, (7 << 22) | line, 63, 0];
  if (subleaf === 1) return [sharing | 0x122, (7 << 22) | line, 63, 0];
  if (subleaf === 2) return [sharing | 0x143, (15 << 22) | line, 1023, 0];
  return [0, 0, 0, 0];
}

/** Extended topology: the levels thread and core, each with the shift to the next level's ID. SDM Vol. 3A 9.9.3.1. */
function topologyLeaf({ topology, apicId }: Processor, subleaf: number): Leaf {
  const shifts = apicIdShifts(topology);
  const { cores, threads } = topology;
  const level = subleaf & 0xff;
  if (level === 0) return [shifts.core, threads, 1 << 8, apicId];
  if (level === 1) return [shifts.package, cores * threads, (2 << 8) | 1, apicId];
  return [0, 0, level, apicId];
}

function xsaveLeaf(cpu: Processor, subleaf: number): Leaf {
  if (!cpu.model.features.has('xsave')) return [0, 0, 0, 0];
  if (subleaf === 0) return [3, fpuStateSize, fpuStateSize, 0];
  const { eax, ebx, ecx, edx } = featureWords(cpu, 0xd, 1);
  return subleaf === 1 ? [eax, ebx, ecx, edx] : [0, 0, 0, 0];
}

function extendedLeaf(cpu: Processor, leaf: number): Leaf {
  const bits = featureWords(cpu, leaf);
  switch (leaf) {
    case 0x8000_0000:
      return [maxExtended, 0, 0, 0];
    case 0x8000_0001:
      // SYSCALL is reported in 64-bit code alone, as Intel's processors do.
      return [0, 0, bits.ecx, cpu.state.code64 ? bits.edx : bits.edx & ~(1 << 11)];
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004:
      return words(brand, 12).slice((leaf - 0x8000_0002) * 4, (leaf - 0x8000_0002) * 4 + 4) as Leaf;
    case 0x8000_0006:
      return [0, 0, (1024 << 16) | 0x8040, 0];
    case 0x8000_0007:
      return [bits.eax, bits.ebx, bits.ecx, bits.edx];
    case 0x8000_0008:
      return [physicalAddressBits | (48 << 8), 0, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

function hypervisorLeaf(leaf: number): Leaf {
  if (leaf === 0x4000_0000) return [maxHypervisor, ...(words('KVMKVMKVM', 3) as [number, number, number])];
  if (leaf === 0x4000_0001) return [kvmFeatures, 0, 0, 0];
  if (leaf === 0x4000_0010) return [tscKhz, tscKhz, 0, 0];
  return [0, 0, 0, 0];
}

/** The four registers of a leaf; a leaf beyond the maximum reads as the highest basic one, as on Intel's processors. */
function cpuidLeaf(cpu: Processor, leaf: number, subleaf: number): Leaf {
  if (leaf >>> 0 >= 0x8000_0000 && leaf >>> 0 <= maxExtended) return extendedLeaf(cpu, leaf >>> 0);
  if (leaf >= 0x4000_0000 && leaf <= maxHypervisor) return hypervisorLeaf(leaf);
  return basicLeaf(cpu, leaf >>> 0 <= maxBasic ? leaf >>> 0 : maxBasic, subleaf);
}

export function cpuid(cpu: Processor): number {
  const { state } = cpu;
  const [eax, ebx, ecx, edx] = cpuidLeaf(cpu, state.gpr32(0), state.gpr32(1));
  state.setGpr32(0, eax);
  state.setGpr32(3, ebx);
  state.setGpr32(1, ecx);
  state.setGpr32(2, edx);
  return status.next;
}
