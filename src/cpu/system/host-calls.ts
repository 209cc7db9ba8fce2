/** The slow paths by name: what `Ops.host` reaches. */

import { msr } from '../../spec/x86/msr.ts';
import { cr4, eflags } from '../../spec/x86/registers.ts';
import type { HostCall } from '../emit/host-calls.ts';
import { movFromDr, movToDr } from '../events/debug.ts';
import { syscall, sysenter, sysexit, sysret } from '../events/fast-calls.ts';
import { returnedFlags } from '../events/returned-flags.ts';
import {
  farBranch,
  int1,
  interruptCall,
  iretCall,
  loadFarSegment,
  loadInRegion,
  movToSreg,
  retFar,
  softwareInterrupt,
} from '../events/transfer-calls.ts';
import { generalProtection, undefinedOpcode } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { canonical } from '../state/cpu-state.ts';
import { shadowBit } from '../state/layout.ts';
import { clts, lmsw, movFromCr, movToCr, xgetbv, xsetbv } from './control-registers.ts';
import { cpuid } from './cpuid.ts';
import { fpuCalls } from './fpu-calls.ts';
import { rdmsr, wrmsr } from './msrs.ts';
import { checkIo, portIn, portOut } from './port-access.ts';
import { inspect, lldt, loadTable, ltr, verify } from './system-segments.ts';

export type HostCallImplementation = (cpu: Processor) => number;

function timeStamp(cpu: Processor): number {
  const { state } = cpu;
  if ((state.low('cr4') & cr4.tsd) !== 0 && state.cpl > 0 && !state.real) throw generalProtection();
  if (cpu.tscAdjust === 0n) {
    // Linux reads it at each way out of the kernel.
    const ns = cpu.nowNs();
    state.setGpr32(0, ns % 2 ** 32);
    state.setGpr32(2, ns / 2 ** 32);
    return status.next;
  }
  state.setScratch(0, cpu.readTsc());
  state.setGpr32(0, state.scratch32(0));
  state.setGpr32(2, state.scratchHigh(0));
  return status.next;
}

function rdtscp(cpu: Processor): number {
  timeStamp(cpu);
  cpu.state.setGpr32(1, Number(cpu.msrs.get(msr.tscAux) & 0xffff_ffffn));
  return status.next;
}

/** No performance counters exist. */
const rdpmc: HostCallImplementation = () => {
  throw generalProtection();
};

function random(cpu: Processor): number {
  cpu.state.setScratch(0, cpu.random());
  return status.next;
}

function pause(cpu: Processor): number {
  cpu.siblings?.pause();
  return status.next;
}

/** Before what is one step for all processors and cannot be one for the host, where `Bus.lockBus` takes too long. */
function lockBus(cpu: Processor): number {
  cpu.siblings?.stopOthers();
  return status.next;
}

/** A serialising instruction: code that others have changed is not run as it was. SDM Vol. 3A 9.3. */
function serialisingCpuid(cpu: Processor): number {
  const outcome = cpuid(cpu);
  return cpu.siblings?.attention === true ? cpu.leave() : outcome;
}

function hlt(cpu: Processor): number {
  cpu.state.rip = cpu.nextRip();
  return status.halt;
}

/** STI that sets IF: the next instruction still runs without interrupts. */
function sti(cpu: Processor): number {
  cpu.state.setFlag(eflags.if, true);
  cpu.state.shadow |= shadowBit.sti;
  cpu.modeChanged();
  return cpu.leave();
}

/** POPF that changes more than status flags and DF. Arguments: image, operand size. rSP is already moved. */
function popf(cpu: Processor): number {
  const { state } = cpu;
  const size = state.scratch32(1) as 16 | 32 | 64;
  // Unlike IRET, POPF clears RF, VIF and VIP instead of loading them.
  const cleared = eflags.rf | (size === 16 ? 0 : eflags.vif | eflags.vip);
  state.eflags = returnedFlags(cpu, state.scratch32(0), size, state.cpl) & ~cleared;
  cpu.modeChanged();
  return cpu.leave();
}

function invlpg(cpu: Processor): number {
  const linear = canonical(cpu.state.scratch(0));
  if (linear !== undefined) cpu.flushPage(linear);
  return status.next;
}

/** Types 0–3; whatever is asked for, at least that is flushed. SDM Vol. 2A "INVPCID". */
function invpcid(cpu: Processor): number {
  const { state } = cpu;
  const type = state.scratch(0);
  const pcid = state.scratch(1);
  const address = state.scratch(2);
  if (type > 3n || pcid >> 12n !== 0n) throw generalProtection();
  const pcidOff = (state.low('cr4') & cr4.pcide) === 0;
  if (pcidOff && type <= 1n && pcid !== 0n) throw generalProtection();
  if (type === 0n) {
    const linear = canonical(address);
    if (linear === undefined) throw generalProtection();
    if (pcidOff || pcid === (state.get64('cr3') & 0xfffn)) cpu.flushPage(linear);
    else cpu.mmu.spaces.forget(Number(pcid));
  } else if (type === 1n) {
    cpu.mmu.spaces.forget(Number(pcid));
  } else {
    cpu.flushTlb(type === 2n ? 'all' : 'non-global');
  }
  return status.next;
}

function setAc(cpu: Processor, on: boolean): number {
  if ((cpu.state.low('cr4') & cr4.smap) === 0 && cpu.state.real) throw undefinedOpcode();
  cpu.state.setFlag(eflags.ac, on);
  cpu.mmu.selectContext();
  return status.next;
}

export const hostCallTable: Readonly<Record<HostCall, HostCallImplementation>> = {
  cpuid: serialisingCpuid,
  serialize: (cpu) => (cpu.siblings?.attention === true ? cpu.leave() : status.next),
  pause,
  'lock-bus': lockBus,
  rdtsc: timeStamp,
  rdtscp,
  rdpmc,
  rdmsr,
  wrmsr,
  xgetbv,
  xsetbv,
  rdrand: random,
  rdseed: random,
  'mov-to-cr': movToCr,
  'mov-from-cr': movFromCr,
  'mov-to-dr': movToDr,
  'mov-from-dr': movFromDr,
  clts,
  lmsw,
  hlt,
  sti,
  popf,
  invlpg,
  invpcid,
  stac: (cpu) => setAc(cpu, true),
  clac: (cpu) => setAc(cpu, false),
  lgdt: (cpu) => loadTable(cpu, 'gdtr'),
  lidt: (cpu) => loadTable(cpu, 'idtr'),
  lldt,
  ltr,
  lar: (cpu) => inspect(cpu, 'rights'),
  lsl: (cpu) => inspect(cpu, 'limit'),
  verr: (cpu) => verify(cpu, false),
  verw: (cpu) => verify(cpu, true),
  'mov-to-sreg': movToSreg,
  'mov-to-ss': movToSreg,
  'pop-sreg': movToSreg,
  'pop-ss': movToSreg,
  'load-usual-segment': loadInRegion,
  'load-far-segment': loadFarSegment,
  'jmp-far': (cpu) => farBranch(cpu, false),
  'call-far': (cpu) => farBranch(cpu, true),
  'ret-far': retFar,
  iret: iretCall,
  int: interruptCall,
  int1,
  int3: (cpu) => softwareInterrupt(cpu, 3),
  into: (cpu) => softwareInterrupt(cpu, 4),
  syscall,
  sysret,
  sysenter,
  sysexit,
  'check-io': checkIo,
  in: portIn,
  out: portOut,
  ...fpuCalls,
};
