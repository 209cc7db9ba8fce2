/** MOV to and from control registers, CLTS, LMSW, XSETBV. SDM Vol. 3A 2.5, 2.6, 4.1.2, 10.8.5; Vol. 2B "MOV". */
import { physicalAddressBits } from '../../spec/x86/paging.ts';
import { cr0, cr4, efer } from '../../spec/x86/registers.ts';
import { generalProtection, undefinedOpcode } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { attribute } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';

const addressMask = (1n << BigInt(physicalAddressBits)) - 1n;
const cr0Known = cr0.pe | cr0.mp | cr0.em | cr0.ts | cr0.et | cr0.ne | cr0.wp | cr0.am | cr0.nw | cr0.cd | cr0.pg;
const cr4Always = cr4.tsd | cr4.de | cr4.pse | cr4.pae | cr4.mce | cr4.pge | cr4.pce | cr4.osfxsr | cr4.osxmmexcpt;
const flushingCr0 = cr0.pg | cr0.wp | cr0.pe;
const flushingCr4 = cr4.pge | cr4.pse | cr4.pae | cr4.smep | cr4.smap | cr4.pcide;
const noFlush = 1n << 63n;

/** The CR4 bits that the CPU model has. */
function cr4Known(cpu: Processor): number {
  const { features } = cpu.model;
  let known = cr4Always;
  if (features.has('umip')) known |= cr4.umip;
  if (features.has('fsgsbase')) known |= cr4.fsgsbase;
  if (features.has('pcid')) known |= cr4.pcide;
  if (features.has('xsave')) known |= cr4.osxsave;
  if (features.has('smep')) known |= cr4.smep;
  if (features.has('smap')) known |= cr4.smap;
  return known;
}

/** PAE paging loads the four PDPTEs with CR3. Reserved bits in a present one are #GP(0). SDM Vol. 3A 4.4.1. */
function loadPdptes(cpu: Processor, cr3: bigint): void {
  const { pdptes } = cpu.mmu.walker.paging;
  const base = Number(cr3 & 0xffff_ffe0n);
  const words = Array.from({ length: 8 }, (_, n) => cpu.memory.readU32(base + n * 4));
  for (let n = 0; n < 8; n += 2) {
    const low = words[n] as number;
    const high = words[n + 1] as number;
    const reserved = (low & 0x1e6) !== 0 || high >>> (physicalAddressBits - 32) !== 0;
    if ((low & 1) !== 0 && reserved) throw generalProtection();
  }
  pdptes.set(words);
}

function usesPdptes(cpu: Processor, newCr0: number, newCr4: number): boolean {
  return (newCr0 & cr0.pg) !== 0 && (newCr4 & cr4.pae) !== 0 && (cpu.state.low('efer') & efer.lme) === 0;
}

function writeCr0(cpu: Processor, value: bigint): void {
  const { state } = cpu;
  if (value >> 32n !== 0n) throw generalProtection();
  const wanted = ((Number(value) & cr0Known) | cr0.et) >>> 0;
  const old = state.low('cr0');
  const paging = (wanted & cr0.pg) !== 0;
  if (paging && (wanted & cr0.pe) === 0) throw generalProtection();
  if ((wanted & cr0.nw) !== 0 && (wanted & cr0.cd) === 0) throw generalProtection();
  const enabling = paging && (old & cr0.pg) === 0;
  const disabling = !paging && (old & cr0.pg) !== 0;
  const longEnabled = (state.low('efer') & efer.lme) !== 0;
  if (enabling && longEnabled) {
    const longCode = (state.segmentAttributes(segmentIndex.cs) & attribute.long) !== 0;
    if ((state.low('cr4') & cr4.pae) === 0 || longCode) throw generalProtection();
  }
  if (disabling && (state.code64 || (state.low('cr4') & cr4.pcide) !== 0)) throw generalProtection();
  if (((wanted ^ old) & (cr0.pg | cr0.cd | cr0.nw)) !== 0 && usesPdptes(cpu, wanted, state.low('cr4'))) {
    loadPdptes(cpu, state.get64('cr3'));
  }
  if (enabling && longEnabled) state.set64('efer', state.get64('efer') | BigInt(efer.lma));
  if (disabling) state.set64('efer', state.get64('efer') & ~BigInt(efer.lma));
  state.set64('cr0', BigInt(wanted));
  if (((wanted ^ old) & cr0.pe) !== 0) {
    if ((wanted & cr0.pe) === 0) state.cpl = 0;
    state.refreshSegmentAccess();
  }
  if (((wanted ^ old) & flushingCr0) !== 0) cpu.flushTlb('all');
  cpu.modeChanged();
}

function writeCr3(cpu: Processor, value: bigint): void {
  const { state } = cpu;
  const pcid = (state.low('cr4') & cr4.pcide) !== 0;
  const kept = pcid && (value & noFlush) !== 0n;
  const address = pcid ? value & ~noFlush : value;
  if (state.longMode && (address & ~addressMask) !== 0n) throw generalProtection();
  if (usesPdptes(cpu, state.low('cr0'), state.low('cr4'))) loadPdptes(cpu, address);
  state.set64('cr3', address);
  cpu.mmu.spaces.enter(pcid ? Number(address & 0xfffn) : 0, kept);
  cpu.modeChanged();
}

function writeCr4(cpu: Processor, value: bigint): void {
  const { state } = cpu;
  if (value >> 32n !== 0n || (Number(value) & ~cr4Known(cpu)) !== 0) throw generalProtection();
  const wanted = Number(value);
  const old = state.low('cr4');
  if (state.longMode && (wanted & cr4.pae) === 0) throw generalProtection();
  const enablesPcid = (wanted & ~old & cr4.pcide) !== 0;
  if (enablesPcid && (!state.longMode || (state.get64('cr3') & 0xfffn) !== 0n)) throw generalProtection();
  const pdptes = ((wanted ^ old) & (cr4.pge | cr4.pse | cr4.pae | cr4.smep)) !== 0;
  if (pdptes && usesPdptes(cpu, state.low('cr0'), wanted)) loadPdptes(cpu, state.get64('cr3'));
  state.set64('cr4', BigInt(wanted));
  if (((wanted ^ old) & flushingCr4) !== 0) cpu.flushTlb('all');
  if (((wanted ^ old) & cr4.pcide) !== 0) cpu.mmu.spaces.renumber();
  cpu.modeChanged();
}

export function movToCr(cpu: Processor): number {
  const number = cpu.state.scratch32(0);
  const value = cpu.state.scratch(1);
  switch (number) {
    case 0:
      writeCr0(cpu, value);
      break;
    case 2:
      cpu.state.set64('cr2', value);
      break;
    case 3:
      writeCr3(cpu, value);
      break;
    case 4:
      writeCr4(cpu, value);
      break;
    case 8:
      if (value > 15n) throw generalProtection();
      cpu.interrupts.taskPriority = Number(value);
      break;
    default:
      throw undefinedOpcode();
  }
  return cpu.leave();
}

export function movFromCr(cpu: Processor): number {
  const { state } = cpu;
  const number = state.scratch32(0);
  if (number === 8) state.setScratch(0, BigInt(cpu.interrupts.taskPriority));
  else if (number === 0 || number === 2 || number === 3 || number === 4)
    state.setScratch(0, state.get64(`cr${number}`));
  else throw undefinedOpcode();
  return status.next;
}

export function clts(cpu: Processor): number {
  cpu.state.set64('cr0', cpu.state.get64('cr0') & ~BigInt(cr0.ts));
  cpu.modeChanged();
  return status.next;
}

/** LMSW writes PE, MP, EM, TS, and cannot clear PE. */
export function lmsw(cpu: Processor): number {
  const old = cpu.state.low('cr0');
  const image = cpu.state.scratch32(0) & 0xf;
  writeCr0(cpu, BigInt(((old & ~0xe) | image) >>> 0));
  return cpu.leave();
}

/** XCR0: x87 always, SSE optional; nothing else exists. */
export function xsetbv(cpu: Processor): number {
  const { state } = cpu;
  if ((state.low('cr4') & cr4.osxsave) === 0) throw undefinedOpcode();
  const value = (BigInt(state.gpr32(2)) << 32n) | BigInt(state.gpr32(0));
  if (state.gpr32(1) !== 0 || (value & 1n) === 0n || value > 3n) throw generalProtection();
  state.set64('xcr0', value);
  return status.next;
}

export function xgetbv(cpu: Processor): number {
  const { state } = cpu;
  if ((state.low('cr4') & cr4.osxsave) === 0) throw undefinedOpcode();
  if (state.gpr32(1) !== 0) throw generalProtection();
  state.setGpr32(0, state.low('xcr0'));
  state.setGpr32(2, 0);
  return status.next;
}
