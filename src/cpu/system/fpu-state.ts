/** FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR. SDM Vol. 1 10.5 and 13.7–13.9; Vol. 2 per instruction. */
import { mxcsr as mxcsrBits } from '../../spec/x86/mxcsr.ts';
import { cr4 } from '../../spec/x86/registers.ts';
import { fxImage, x87Reset, xsaveHeader, xstate } from '../../spec/x86/x87.ts';
import { generalProtection, undefinedOpcode } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import type { CpuState } from '../state/cpu-state.ts';
import { FpuRegisters, initializeX87, physicalRegister, summarized } from '../state/fpu-registers.ts';
import { fpuImage, state } from '../state/layout.ts';

const { base } = fpuImage;

/** Alignment checks look at the first field alone; an area that passes them can still be misaligned as a whole. */
const checkedAlignment = 4;

/** A linear address that the instruction has found canonical. */
function linearArgument(cpu: CpuState, position: number): number {
  return (cpu.scratchHigh(position) | 0) * 0x1_0000_0000 + cpu.scratch32(position);
}

/**
 * Argument 0, the address of an area; #AC or #GP(0) if it is not aligned. Argument 2 is what the processor touches first,
 * `probeOffset` into the area, unless the area wraps around its segment: that is refused.
 */
function areaAddress(
  cpu: Processor,
  alignment: number,
  probe: { offset: number; bytes: number; write: boolean },
): number {
  const linear = linearArgument(cpu.state, 0);
  if ((cpu.state.scratch32(0) & (alignment - 1)) !== 0) {
    cpu.mmu.checkAlignment(linear, checkedAlignment);
    throw generalProtection();
  }
  const touched = linearArgument(cpu.state, 2);
  cpu.mmu.touch(touched, probe.bytes, probe.write);
  if (touched - linear !== probe.offset && touched >= linear) throw generalProtection();
  return linear;
}

function copyState(cpu: CpuState, from: number, to: number, bytes: number): void {
  cpu.bytes.copyWithin(to, from, from + bytes);
}

const fprBytes = 128;

/** The x87 part of an image into the staging area: bytes 0–23 and 32–159. */
function gatherX87(cpu: CpuState, wide: boolean): void {
  const { view } = cpu;
  const fpu = new FpuRegisters(view);
  view.setUint16(base + fxImage.fcw, fpu.fcw, true);
  view.setUint16(base + fxImage.fsw, fpu.fsw, true);
  view.setUint16(base + fxImage.ftw, fpu.valid, true);
  view.setUint16(base + fxImage.fop, fpu.fop, true);
  view.setUint32(base + fxImage.fip, view.getUint32(state.fip, true), true);
  view.setUint32(base + fxImage.fip + 4, wide ? view.getUint32(state.fip + 4, true) : 0, true);
  view.setUint32(base + fxImage.fdp, view.getUint32(state.fdp, true), true);
  view.setUint32(base + fxImage.fdp + 4, wide ? view.getUint32(state.fdp + 4, true) : 0, true);
  // From ST(0) up to R7, then from R0 on. The six bytes beside a register are always 0.
  const first = physicalRegister(fpu.fsw >> 11);
  const upper = state.fpr + fprBytes - first;
  copyState(cpu, first, base + fxImage.st, upper);
  copyState(cpu, state.fpr, base + fxImage.st + upper, fprBytes - upper);
}

function gatherMxcsr({ view }: CpuState): void {
  view.setUint32(base + fxImage.mxcsr, view.getUint32(state.mxcsr, true), true);
  view.setUint32(base + fxImage.mxcsrMask, mxcsrBits.validBits, true);
}

/** XMM registers that the mode has, in bytes: what an image transfers. */
const xmmBytes = (cpu: CpuState): number => (cpu.code64 ? 256 : 128);

function gatherSse(cpu: CpuState): void {
  gatherMxcsr(cpu);
  copyState(cpu, state.xmm, base + fxImage.xmm, xmmBytes(cpu));
}

function scatterX87(cpu: CpuState, wide: boolean): void {
  const { view } = cpu;
  const fpu = new FpuRegisters(view);
  fpu.loadControl(view.getUint16(base + fxImage.fcw, true));
  fpu.fsw = summarized(view.getUint16(base + fxImage.fsw, true), fpu.fcw);
  fpu.valid = view.getUint8(base + fxImage.ftw);
  fpu.fop = view.getUint16(base + fxImage.fop, true);
  // The processor of the instruction oracle keeps 57 bits of the instruction pointer and 64 of the data pointer.
  const fipHigh = (view.getInt32(base + fxImage.fip + 4, true) << 7) >> 7;
  view.setUint32(state.fip, view.getUint32(base + fxImage.fip, true), true);
  view.setInt32(state.fip + 4, wide ? fipHigh : 0, true);
  view.setUint32(state.fdp, view.getUint32(base + fxImage.fdp, true), true);
  view.setUint32(state.fdp + 4, wide ? view.getUint32(base + fxImage.fdp + 4, true) : 0, true);
  const first = physicalRegister(fpu.fsw >> 11);
  const upper = state.fpr + fprBytes - first;
  copyState(cpu, base + fxImage.st, first, upper);
  copyState(cpu, base + fxImage.st + upper, state.fpr, fprBytes - upper);
  for (let at: number = state.fpr; at < state.fpr + fprBytes; at += 16) {
    view.setUint16(at + 10, 0, true);
    view.setUint32(at + 12, 0, true);
  }
}

function stagedMxcsr({ view }: CpuState): number {
  const value = view.getUint32(base + fxImage.mxcsr, true);
  if ((value & ~mxcsrBits.validBits) !== 0) throw generalProtection();
  return value;
}

const savesSse = (cpu: CpuState): boolean => (cpu.low('cr4') & cr4.osfxsr) !== 0;

/** Arguments: linear address, REX.W. Without CR4.OSFXSR the SSE part stays out of the image. */
function fxsave(cpu: Processor): number {
  const linear = areaAddress(cpu, 16, { offset: fxImage.size - 1, bytes: 1, write: true });
  const wide = cpu.state.scratch32(1) !== 0;
  gatherX87(cpu.state, wide);
  gatherSse(cpu.state);
  cpu.mmu.writeRange(linear, base, fxImage.xmm + (savesSse(cpu.state) ? xmmBytes(cpu.state) : 0));
  return status.next;
}

function fxrstor(cpu: Processor): number {
  const linear = areaAddress(cpu, 16, { offset: fxImage.size - 1, bytes: 1, write: false });
  const wide = cpu.state.scratch32(1) !== 0;
  cpu.mmu.readRange(linear, base, fxImage.xmmEnd);
  const mxcsr = stagedMxcsr(cpu.state);
  if (savesSse(cpu.state)) {
    cpu.state.view.setUint32(state.mxcsr, mxcsr, true);
    copyState(cpu.state, base + fxImage.xmm, state.xmm, xmmBytes(cpu.state));
  }
  scatterX87(cpu.state, wide);
  return status.next;
}

/** Components that EDX:EAX and XCR0 both name. #UD unless CR4.OSXSAVE. */
function requestedComponents(cpu: CpuState): number {
  if ((cpu.low('cr4') & cr4.osxsave) === 0) throw undefinedOpcode();
  return cpu.low('xcr0') & cpu.gpr32(0) & 3;
}

function isZero(view: DataView, from: number, bytes: number): boolean {
  for (let at = from; at < from + bytes; at += 4) if (view.getInt32(at, true) !== 0) return false;
  return true;
}

/** XINUSE: components that are not in their initial configuration. SDM Vol. 1 13.6. */
function componentsInUse(cpu: CpuState): number {
  const { view } = cpu;
  const initialX87 =
    view.getUint16(state.fcw, true) === x87Reset.fcwAfterInit &&
    view.getUint16(state.fsw, true) === 0 &&
    view.getUint8(state.ftwValid) === 0 &&
    view.getUint16(state.fop, true) === 0 &&
    isZero(view, state.fip, 16) &&
    isZero(view, state.fpr, 128);
  return (initialX87 ? 0 : xstate.x87) | (isZero(view, state.xmm, xmmBytes(cpu)) ? 0 : xstate.sse);
}

/** What XSAVE writes of the legacy region when not all of it is saved. MXCSR goes with the request, not with its use. */
function writePieces(
  { state: cpu, mmu }: Processor,
  linear: number,
  wide: boolean,
  requested: number,
  saved: number,
): void {
  if ((saved & xstate.x87) !== 0) {
    gatherX87(cpu, wide);
    mmu.writeRange(linear, base, fxImage.mxcsr);
    mmu.writeRange(linear + fxImage.st, base + fxImage.st, fprBytes);
  }
  if ((requested & xstate.sse) === 0) return;
  gatherMxcsr(cpu);
  mmu.writeRange(linear + fxImage.mxcsr, base + fxImage.mxcsr, 8);
  if ((saved & xstate.sse) !== 0) mmu.writeRange(linear + fxImage.xmm, state.xmm, xmmBytes(cpu));
}

/** XSAVE and, with `optimized`, XSAVEOPT, which leaves out components in their initial configuration. */
function saveExtended(cpu: Processor, optimized: boolean): number {
  const requested = requestedComponents(cpu.state);
  const linear = areaAddress(cpu, 64, { offset: xsaveHeader.end - 1, bytes: 1, write: true });
  const wide = cpu.state.scratch32(1) !== 0;
  const { mmu } = cpu;
  const { view } = cpu.state;
  mmu.readRange(linear + xsaveHeader.xstateBv, base + xsaveHeader.xstateBv, 8);
  const inUse = componentsInUse(cpu.state);
  const saved = optimized ? requested & inUse : requested;
  const oldBv = view.getUint32(base + xsaveHeader.xstateBv, true);
  view.setUint32(base + xsaveHeader.xstateBv, (oldBv & ~requested) | (requested & inUse), true);
  if (requested !== 0) mmu.touch(linear + ((requested & xstate.x87) !== 0 ? 0 : fxImage.mxcsr), 1, true);
  if (saved === (xstate.x87 | xstate.sse)) {
    gatherX87(cpu.state, wide);
    gatherSse(cpu.state);
    mmu.writeRange(linear, base, fxImage.xmm + xmmBytes(cpu.state));
  } else {
    writePieces(cpu, linear, wide, requested, saved);
  }
  mmu.writeRange(linear + xsaveHeader.xstateBv, base + xsaveHeader.xstateBv, 8);
  return status.next;
}

/** XSTATE_BV of the staged header, checked. SDM Vol. 1 13.8.1: compaction is not supported. */
function checkedHeader(cpu: CpuState): number {
  const { view } = cpu;
  const xstateBv = view.getUint32(base + xsaveHeader.xstateBv, true);
  const unknown = (xstateBv & ~cpu.low('xcr0')) | view.getInt32(base + xsaveHeader.xstateBv + 4, true);
  if (unknown !== 0) throw generalProtection();
  if (!isZero(view, base + xsaveHeader.xcompBv, xsaveHeader.checkedEnd - xsaveHeader.xcompBv))
    throw generalProtection();
  return xstateBv;
}

function xrstor(cpu: Processor): number {
  const requested = requestedComponents(cpu.state);
  const linear = areaAddress(cpu, 64, { offset: xsaveHeader.xcompBv, bytes: 8, write: false });
  const wide = cpu.state.scratch32(1) !== 0;
  const { view } = cpu.state;
  cpu.mmu.readRange(linear + xsaveHeader.xstateBv, base + xsaveHeader.xstateBv, xsaveHeader.end - xsaveHeader.xstateBv);
  const present = checkedHeader(cpu.state);
  if ((requested & xstate.x87) !== 0) cpu.mmu.readRange(linear, base, fxImage.xmm);
  if ((requested & xstate.sse) !== 0) {
    cpu.mmu.readRange(linear + fxImage.mxcsr, base + fxImage.mxcsr, fxImage.xmmEnd - fxImage.mxcsr);
  }
  if ((requested & xstate.sse) !== 0) {
    // MXCSR comes from the area whatever XSTATE_BV says.
    view.setUint32(state.mxcsr, stagedMxcsr(cpu.state), true);
    const bytes = xmmBytes(cpu.state);
    if ((present & xstate.sse) !== 0) copyState(cpu.state, base + fxImage.xmm, state.xmm, bytes);
    else cpu.state.bytes.fill(0, state.xmm, state.xmm + bytes);
  }
  if ((requested & xstate.x87) !== 0) {
    if ((present & xstate.x87) !== 0) {
      scatterX87(cpu.state, wide);
    } else {
      initializeX87(view);
      cpu.state.bytes.fill(0, state.fpr, state.fpr + fprBytes);
    }
  }
  return status.next;
}

export const fpuStateCalls = {
  fxsave,
  fxrstor,
  xsave: (cpu: Processor): number => saveExtended(cpu, false),
  xsaveopt: (cpu: Processor): number => saveExtended(cpu, true),
  xrstor,
} as const;
