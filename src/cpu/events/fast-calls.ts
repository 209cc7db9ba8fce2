/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT, as far as `semantics/fast-call.ts` does not do it. SDM Vol. 2B; Vol. 3A 5.8.7,
 * 5.8.8.
 */
import { msr } from '../../spec/x86/msr.ts';
import { efer, eflags } from '../../spec/x86/registers.ts';
import { generalProtection, undefinedOpcode } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { canonical } from '../state/cpu-state.ts';
import { flatCode, flatStack } from '../state/flat-segments.ts';
import { segmentIndex } from '../state/layout.ts';

const rcxNumber = 1;
const rdxNumber = 2;
const rspNumber = 4;
const r11Number = 11;

/** EFLAGS that SYSRET does not take from R11: RF and VM, and the reserved ones. */
const sysretMask = 0x3c_7fd7;

function setFlat(cpu: Processor, index: number, selector: number, dpl: number, long: boolean): void {
  const { base, limit, attributes } = index === segmentIndex.cs ? flatCode(dpl, long) : flatStack(dpl);
  cpu.state.setSegment(index, { selector, base, limit, attributes });
}

export function syscall(cpu: Processor): number {
  const { state } = cpu;
  if ((state.low('efer') & efer.sce) === 0 || !state.code64) throw undefinedOpcode();
  const flags = state.eflags;
  state.setGpr(rcxNumber, cpu.nextRip());
  state.setGpr(r11Number, BigInt(flags & ~eflags.rf));
  state.rip = state.get64('lstar');
  state.eflags = flags & ~Number(state.get64('fmask') & 0xffff_ffffn) & ~eflags.rf;
  const selector = Number((state.get64('star') >> 32n) & 0xfffcn);
  setFlat(cpu, segmentIndex.cs, selector, 0, true);
  setFlat(cpu, segmentIndex.ss, selector + 8, 0, false);
  state.cpl = 0;
  // With TF masked the single-step trap does not wait in the kernel.
  if (!state.flag(eflags.tf)) cpu.debug.handlerEntered = true;
  cpu.modeChanged();
  return status.changed;
}

export function sysret(cpu: Processor): number {
  const { state } = cpu;
  if ((state.low('efer') & efer.sce) === 0 || !state.code64) throw undefinedOpcode();
  const wide = state.scratch32(0) === 64;
  const target = state.gpr(rcxNumber);
  if (wide && canonical(target) === undefined) throw generalProtection();
  const base = Number((state.get64('star') >> 48n) & 0xffffn);
  state.rip = wide ? target : target & 0xffff_ffffn;
  state.eflags = Number(state.gpr(r11Number) & 0xffff_ffffn) & sysretMask;
  setFlat(cpu, segmentIndex.cs, ((wide ? base + 16 : base) | 3) & 0xffff, 3, wide);
  setFlat(cpu, segmentIndex.ss, ((base + 8) | 3) & 0xffff, 3, false);
  state.cpl = 3;
  cpu.modeChanged();
  return status.changed;
}

export function sysenter(cpu: Processor): number {
  const { state } = cpu;
  const selector = Number(cpu.msrs.get(msr.sysenterCs) & 0xfffcn);
  if (state.real || selector === 0) throw generalProtection();
  const long = state.longMode;
  state.setFlag(eflags.vm | eflags.if, false);
  state.setFlag(eflags.rf, false);
  setFlat(cpu, segmentIndex.cs, selector, 0, long);
  setFlat(cpu, segmentIndex.ss, selector + 8, 0, false);
  state.cpl = 0;
  const width = long ? 64 : 32;
  state.setGpr(rspNumber, BigInt.asUintN(width, cpu.msrs.get(msr.sysenterEsp)));
  state.rip = BigInt.asUintN(width, cpu.msrs.get(msr.sysenterEip));
  cpu.modeChanged();
  return status.changed;
}

export function sysexit(cpu: Processor): number {
  const { state } = cpu;
  const wide = state.scratch32(0) === 64;
  const selector = Number(cpu.msrs.get(msr.sysenterCs) & 0xfffcn);
  if (state.real || selector === 0) throw generalProtection();
  const rip = state.gpr(rdxNumber);
  const rsp = state.gpr(rcxNumber);
  if (wide && (canonical(rip) === undefined || canonical(rsp) === undefined)) throw generalProtection();
  const width = wide ? 64 : 32;
  setFlat(cpu, segmentIndex.cs, (selector + (wide ? 32 : 16)) | 3, 3, wide);
  setFlat(cpu, segmentIndex.ss, (selector + (wide ? 40 : 24)) | 3, 3, false);
  state.cpl = 3;
  state.rip = BigInt.asUintN(width, rip);
  state.setGpr(rspNumber, BigInt.asUintN(width, rsp));
  cpu.modeChanged();
  return status.changed;
}
