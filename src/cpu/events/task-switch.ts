/** Hardware task switching. SDM Vol. 3A chapter 8. */
import { cr0, eflags } from '../../spec/x86/registers.ts';
import { GuestFault, generalProtection, invalidTss, notPresent, stackFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, dplOf } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';
import {
  attributesOf,
  baseOf,
  type Descriptor,
  isNull,
  limitOf,
  loadRealSegment,
  loadSegment,
  markAccessed,
  readDescriptor,
  segmentValue,
} from './descriptors.ts';

export type TaskSwitchReason = 'jump' | 'call' | 'interrupt' | 'iret';

const busyBit = 0x200;
const taskSwitchedTrap = 0x8000n;

/** Offsets in the two TSS formats. Tables 8-2, figures 8-2 and 8-10. */
const tss32 = {
  link: 0,
  cr3: 0x1c,
  eip: 0x20,
  eflags: 0x24,
  gpr: 0x28,
  segments: 0x48,
  ldt: 0x60,
  trap: 0x64,
  minimum: 0x67,
} as const;
const tss16 = { link: 0, eip: 0x0e, eflags: 0x10, gpr: 0x12, segments: 0x22, ldt: 0x2a, minimum: 0x2b } as const;

interface NewTask {
  readonly cr3: number;
  readonly eip: number;
  readonly flags: number;
  readonly gpr: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

const isWide = (attributes: number): boolean => (attributes & 8) !== 0;

/** Saves the outgoing task's registers in its TSS. */
function save(cpu: Processor, base: number, wide: boolean, rip: bigint, flags: number): void {
  const { state, mmu } = cpu;
  const size = wide ? 4 : 2;
  const layout = wide ? tss32 : tss16;
  mmu.probeWrite(base + layout.eip, (wide ? tss32.ldt : tss16.ldt) - layout.eip, true);
  mmu.write(base + layout.eip, size, Number(BigInt.asUintN(32, rip)), true);
  mmu.write(base + layout.eflags, size, flags, true);
  for (let n = 0; n < 8; n++) mmu.write(base + layout.gpr + n * size, size, state.gpr32(n), true);
  const count = wide ? 6 : 4;
  for (let n = 0; n < count; n++) mmu.write(base + layout.segments + n * size, 2, state.selector(n), true);
}

function load(cpu: Processor, base: number, wide: boolean): NewTask {
  const { mmu } = cpu;
  const size = wide ? 4 : 2;
  const layout = wide ? tss32 : tss16;
  const high = wide ? 0 : 0xffff_0000;
  const count = wide ? 6 : 4;
  const read = (offset: number): number => mmu.read(base + offset, size, true);
  const segments = Array.from({ length: count }, (_, n) => mmu.read(base + layout.segments + n * size, 2, true));
  while (segments.length < 6) segments.push(0);
  return {
    cr3: wide ? read(tss32.cr3) : 0,
    eip: read(layout.eip),
    flags: read(layout.eflags),
    gpr: Array.from({ length: 8 }, (_, n) => (read(layout.gpr + n * size) | high) >>> 0),
    segments,
    ldt: mmu.read(base + layout.ldt, 2, true),
    trap: wide && (mmu.read(base + tss32.trap, 2, true) & 1) !== 0,
  };
}

/** The TSS descriptor of the incoming task. @throws #GP or #NP (or #TS for IRET) with its selector. */
function incoming(cpu: Processor, selector: number, reason: TaskSwitchReason, ext: number): Descriptor {
  const code = (selector & 0xfffc) | ext;
  const fault = reason === 'iret' ? invalidTss : generalProtection;
  if ((selector & 4) !== 0 || isNull(selector)) throw fault(code);
  const descriptor = readDescriptor(cpu, selector, () => fault(code));
  const type = attributesOf(descriptor) & 0x1f;
  const wantedBusy = reason === 'iret' ? 2 : 0;
  if ((type & ~8) !== (1 | wantedBusy)) throw fault(code);
  if ((attributesOf(descriptor) & attribute.present) === 0) throw notPresent(code);
  const wide = isWide(type);
  if (limitOf(descriptor) < (wide ? tss32.minimum : tss16.minimum)) throw invalidTss(code);
  return descriptor;
}

function setBusy(cpu: Processor, selector: number, busy: boolean): void {
  const { address, high } = readDescriptor(cpu, selector);
  cpu.mmu.write(address + 4, 4, busy ? high | busyBit : high & ~busyBit, true);
}

/** CS of the new task: #TS instead of #GP, and its RPL is the new CPL. */
function loadTaskCode(cpu: Processor, selector: number): void {
  const code = selector & 0xfffc;
  if (isNull(selector)) throw invalidTss(code);
  const descriptor = readDescriptor(cpu, selector, () => invalidTss(code));
  const attributes = attributesOf(descriptor);
  const isCode = (attributes & (attribute.s | attribute.code)) === (attribute.s | attribute.code);
  const dpl = dplOf(attributes);
  const conforming = (attributes & attribute.conforming) !== 0;
  if (!isCode || (conforming ? dpl > (selector & 3) : dpl !== (selector & 3))) throw invalidTss(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  markAccessed(cpu, descriptor);
  cpu.state.setSegment(segmentIndex.cs, segmentValue(selector, descriptor));
}

/** Loads a data or stack segment of the new task; #GP becomes #TS. */
function loadTaskSegment(cpu: Processor, index: number, selector: number): void {
  try {
    if (index === segmentIndex.ss && isNull(selector)) throw generalProtection();
    loadSegment(cpu, index, selector);
  } catch (fault) {
    if (fault instanceof GuestFault && fault.vector === 13) throw invalidTss(selector & 0xfffc);
    if (fault instanceof GuestFault && fault.vector === 12) throw stackFault(selector & 0xfffc);
    throw fault;
  }
}

function loadLdt(cpu: Processor, selector: number): void {
  const { state } = cpu;
  state.setSegment(segmentIndex.ldtr, { selector, base: 0n, limit: 0, attributes: 0 });
  if (isNull(selector)) return;
  const code = selector & 0xfffc;
  if ((selector & 4) !== 0) throw invalidTss(code);
  const descriptor = readDescriptor(cpu, selector, () => invalidTss(code));
  const attributes = attributesOf(descriptor);
  if ((attributes & 0x1f) !== 2 || (attributes & attribute.present) === 0) throw invalidTss(code);
  state.setSegment(segmentIndex.ldtr, {
    selector,
    base: BigInt(baseOf(descriptor)),
    limit: limitOf(descriptor),
    attributes,
  });
}

/** Brings in the registers and segments of the new task. Faults here happen in its context. */
function enter(cpu: Processor, task: NewTask, flags: number): void {
  const { state } = cpu;
  for (let n = 0; n < 8; n++) state.setGpr32(n, task.gpr[n] as number);
  state.rip = BigInt(task.eip);
  state.eflags = flags;
  for (let index = 0; index < 6; index++) {
    state.setSegment(index, { selector: task.segments[index] as number, base: 0n, limit: 0, attributes: 0 });
  }
  if ((flags & eflags.vm) !== 0) {
    state.cpl = 3;
    for (let index = 0; index < 6; index++) loadRealSegment(cpu, index, task.segments[index] as number);
    loadLdt(cpu, task.ldt);
  } else {
    state.cpl = (task.segments[segmentIndex.cs] as number) & 3;
    loadLdt(cpu, task.ldt);
    loadTaskCode(cpu, task.segments[segmentIndex.cs] as number);
    for (const index of [segmentIndex.ss, segmentIndex.es, segmentIndex.ds, segmentIndex.fs, segmentIndex.gs]) {
      loadTaskSegment(cpu, index, task.segments[index] as number);
    }
    if (task.eip > state.segmentLimit(segmentIndex.cs)) throw generalProtection();
  }
}

/** Switches to the task whose TSS `selector` names. `rip`: where the old task continues. Never in long mode. */
export function switchTask(cpu: Processor, selector: number, reason: TaskSwitchReason, rip: bigint, ext: number): void {
  const { state, mmu } = cpu;
  const descriptor = incoming(cpu, selector, reason, ext);
  const oldSelector = state.selector(segmentIndex.tr);
  const oldWide = isWide(state.segmentAttributes(segmentIndex.tr));
  const oldBase = Number(state.segmentBase(segmentIndex.tr));
  const wide = isWide(attributesOf(descriptor));
  const base = baseOf(descriptor);
  const nested = reason === 'call' || reason === 'interrupt';
  const outgoingFlags = reason === 'iret' ? state.eflags & ~eflags.nt : state.eflags;
  const task = load(cpu, base, wide);
  save(cpu, oldBase, oldWide, rip, outgoingFlags);
  if (!nested) setBusy(cpu, oldSelector, false);
  if (nested) mmu.write(base + tss32.link, 2, oldSelector, true);
  if (reason !== 'iret') mmu.write(descriptor.address + 4, 4, descriptor.high | busyBit, true);
  state.setSegment(segmentIndex.tr, {
    selector,
    base: BigInt(base),
    limit: limitOf(descriptor),
    attributes: attributesOf(descriptor) | 2,
  });
  state.set64('cr0', state.get64('cr0') | BigInt(cr0.ts));
  if (wide && (state.low('cr0') & cr0.pg) !== 0) {
    state.set64('cr3', BigInt(task.cr3));
    mmu.spaces.enter(0, false);
  }
  state.setDr(7, state.dr(7) & ~0x55n);
  cpu.modeChanged();
  try {
    enter(cpu, task, nested ? task.flags | eflags.nt : task.flags);
    if (task.trap) {
      state.setDr(6, state.dr(6) | taskSwitchedTrap);
      const fault = new GuestFault(1);
      fault.trap = true;
      throw fault;
    }
  } catch (fault) {
    if (fault instanceof GuestFault) fault.committed = true;
    cpu.modeChanged();
    throw fault;
  }
}

/** IRET with EFLAGS.NT: back to the task that the current TSS links to. */
export function returnFromTask(cpu: Processor, rip: bigint): void {
  const { state, mmu } = cpu;
  const link = mmu.read(Number(state.segmentBase(segmentIndex.tr)) + tss32.link, 2, true);
  switchTask(cpu, link, 'iret', rip, 0);
}
