/** Model-specific registers of the CPU itself. SDM Vol. 4 table 2-2. */
import { msr, patReset } from '../../spec/x86/msr.ts';
import { physicalAddressBits } from '../../spec/x86/paging.ts';
import { cr0, efer } from '../../spec/x86/registers.ts';
import { generalProtection } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { canonical } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';

/** Rogue data cache load, L1TF, MDS, TAA, … : none, since the engine does not speculate. SDM Vol. 4, MSR 0x10A. */
const archCapabilities = 0x4000_0000_0d10_e17bn;
const archCapabilitiesMsr = 0x10a;
const specControlMsr = 0x48;
const predictionCommandMsr = 0x49;

const mtrrCapability = 0x508n;
const miscEnableValue = 0x1n;

/** MSRs that are plain storage for the guest, with their reset values. */
const plainMsrs: ReadonlyMap<number, bigint> = new Map<number, bigint>([
  [msr.sysenterCs, 0n],
  [msr.tscAux, 0n],
  [msr.debugControl, 0n],
  [specControlMsr, 0n],
  [msr.mtrrDefType, 0xc06n],
  [msr.mtrrFix64k, 0x0606_0606_0606_0606n],
  [msr.mtrrFix16k0, 0x0606_0606_0606_0606n],
  [msr.mtrrFix16k1, 0n],
  [msr.miscEnable, miscEnableValue],
  [msr.biosUpdateSignature, 0n],
  [msr.mcgStatus, 0n],
  ...Array.from({ length: 16 }, (_, n): [number, bigint] => [msr.mtrrPhysBase0 + n, 0n]),
  ...Array.from({ length: 8 }, (_, n): [number, bigint] => [msr.mtrrFix4k0 + n, 0n]),
]);

/** MSRs that hold addresses and must be canonical. */
const addressMsrs: ReadonlyMap<number, bigint> = new Map<number, bigint>([
  [msr.sysenterEsp, 0n],
  [msr.sysenterEip, 0n],
  [msr.cstar, 0n],
]);

const readOnly: ReadonlyMap<number, bigint> = new Map<number, bigint>([
  [msr.mtrrCap, mtrrCapability],
  [msr.mcgCap, 0n],
  [msr.featureControl, 1n],
  [msr.perfStatus, 0n],
  [archCapabilitiesMsr, archCapabilities],
]);

/** UC, WC, WT, WP, WB; the PAT knows UC- as well. SDM Vol. 3A 12.11.2.1, 12.12.2. */
const mtrrTypes: ReadonlySet<number> = new Set([0, 1, 4, 5, 6]);
const patTypes: ReadonlySet<number> = new Set([...mtrrTypes, 7]);
/** E, FE and the type. SDM Vol. 3A figure 12-6. */
const mtrrDefTypeBits = 0xcffn;
const physicalAddress = (1n << BigInt(physicalAddressBits)) - 1n;
/** Base and type; mask and V. SDM Vol. 3A figure 12-8. */
const mtrrBaseBits = physicalAddress & ~0xf00n;
const mtrrMaskBits = physicalAddress & ~0x7ffn;

function checkTypes(value: bigint, types: ReadonlySet<number>): void {
  for (let n = 0n; n < 64n; n += 8n) {
    if (!types.has(Number((value >> n) & 0xffn))) throw generalProtection();
  }
}

function checkBits(value: bigint, bits: bigint): void {
  if ((value & ~bits) !== 0n) throw generalProtection();
}

/** Whether an MSR that this file stores can hold `value`. @throws #GP(0). */
function checkFields(index: number, value: bigint): void {
  const isType = mtrrTypes.has(Number(value & 0xffn));
  if (index === msr.pat) {
    checkTypes(value, patTypes);
  } else if (index === msr.mtrrDefType) {
    checkBits(value, mtrrDefTypeBits);
    if (!isType) throw generalProtection();
  } else if (index >= msr.mtrrFix64k && index <= msr.mtrrFix4kLast) {
    checkTypes(value, mtrrTypes);
  } else if (index >= msr.mtrrPhysBase0 && index <= msr.mtrrPhysMaskLast) {
    const isBase = (index & 1) === 0;
    checkBits(value, isBase ? mtrrBaseBits : mtrrMaskBits);
    if (isBase && !isType) throw generalProtection();
  } else if (index === msr.tscAux) {
    checkBits(value, 0xffff_ffffn);
  }
}

export class MsrFile {
  readonly #values = new Map<number, bigint>([...plainMsrs, ...addressMsrs, [msr.pat, patReset]]);

  reset(): void {
    for (const [index, value] of [...plainMsrs, ...addressMsrs]) this.#values.set(index, value);
    this.#values.set(msr.pat, patReset);
  }

  /** The value of an MSR that this file stores. */
  get(index: number): bigint {
    return this.#values.get(index) ?? 0n;
  }

  save(): readonly (readonly [number, bigint])[] {
    return [...this.#values];
  }

  restore(values: readonly (readonly [number, bigint])[]): void {
    for (const [index, value] of values) this.#values.set(index, value);
  }

  /** @returns undefined for an MSR that is not the CPU's. */
  read(cpu: Processor, index: number): bigint | undefined {
    const { state } = cpu;
    switch (index) {
      case msr.efer:
        return state.get64('efer');
      case msr.fsBase:
        return state.segmentBase(segmentIndex.fs);
      case msr.gsBase:
        return state.segmentBase(segmentIndex.gs);
      case msr.kernelGsBase:
        return state.kernelGsBase;
      case msr.star:
        return state.get64('star');
      case msr.lstar:
        return state.get64('lstar');
      case msr.fmask:
        return state.get64('fmask');
      case msr.tsc:
        return cpu.readTsc();
      case msr.tscAdjust:
        return cpu.tscAdjust;
      default:
        return this.#values.get(index) ?? readOnly.get(index);
    }
  }

  /** @returns undefined for an MSR that is not the CPU's; @throws #GP(0) for a value that it cannot take. */
  write(cpu: Processor, index: number, value: bigint): true | undefined {
    const { state } = cpu;
    switch (index) {
      case msr.efer:
        writeEfer(cpu, value);
        return true;
      case msr.fsBase:
        state.setSegmentBase(segmentIndex.fs, checkedAddress(value));
        return true;
      case msr.gsBase:
        state.setSegmentBase(segmentIndex.gs, checkedAddress(value));
        return true;
      case msr.kernelGsBase:
        state.kernelGsBase = checkedAddress(value);
        return true;
      case msr.star:
        state.set64('star', value);
        return true;
      case msr.lstar:
        state.set64('lstar', checkedAddress(value));
        return true;
      case msr.fmask:
        state.set64('fmask', value);
        return true;
      case msr.tsc:
        cpu.tscAdjust += BigInt.asIntN(64, value - cpu.readTsc());
        cpu.tscChanged();
        return true;
      case msr.tscAdjust:
        cpu.tscAdjust = value;
        cpu.tscChanged();
        return true;
      case predictionCommandMsr:
        return true;
      default:
        if (readOnly.has(index)) throw generalProtection();
        if (!this.#values.has(index)) return undefined;
        checkFields(index, value);
        this.#values.set(index, addressMsrs.has(index) ? checkedAddress(value) : value);
        return true;
    }
  }
}

function checkedAddress(value: bigint): bigint {
  if (canonical(value) === undefined) throw generalProtection();
  return value;
}

function writeEfer(cpu: Processor, value: bigint): void {
  const { state } = cpu;
  const old = state.low('efer');
  if ((value & ~BigInt(efer.sce | efer.lme | efer.lma | efer.nxe)) !== 0n) throw generalProtection();
  const wanted = Number(value);
  if (((wanted ^ old) & efer.lme) !== 0 && (state.low('cr0') & cr0.pg) !== 0) throw generalProtection();
  state.set64('efer', BigInt((wanted & ~efer.lma) | (old & efer.lma)));
  if (((wanted ^ old) & efer.nxe) !== 0) cpu.flushTlb('all');
  cpu.modeChanged();
}

/** RDMSR. */
export function rdmsr(cpu: Processor): number {
  const { state } = cpu;
  const index = state.gpr32(1);
  const value = cpu.msrs.read(cpu, index) ?? cpu.externalMsrs.read(index);
  if (value === undefined) throw generalProtection();
  state.setGpr32(0, Number(value & 0xffff_ffffn));
  state.setGpr32(2, Number((value >> 32n) & 0xffff_ffffn));
  return status.next;
}

/** WRMSR. */
export function wrmsr(cpu: Processor): number {
  const { state } = cpu;
  const index = state.gpr32(1);
  const value = (BigInt(state.gpr32(2)) << 32n) | BigInt(state.gpr32(0));
  if (cpu.msrs.write(cpu, index, value) === undefined && !cpu.externalMsrs.write(index, value))
    throw generalProtection();
  return cpu.leave();
}
