/** Delivery of exceptions and interrupts in every mode. SDM Vol. 3A chapter 6; real mode: Vol. 3B 21.1.4. */
import { dr7, eflags } from '../../spec/x86/registers.ts';
import { GuestFault, generalProtection, notPresent } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, canonical, dplOf } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';
import {
  attributesOf,
  type Descriptor,
  isNull,
  loadRealSegment,
  markAccessed,
  readDescriptor,
  segmentValue,
} from './descriptors.ts';
import { deliverFlat32 } from './flat-32.ts';
import { deliverFlat } from './flat-long.ts';
import { checkedStackSegment, stackFromTss, stackFromTss64 } from './privilege-stack.ts';
import { savedFlags } from './returned-flags.ts';
import { canonicalTarget, FrameStack, LongStack } from './stack.ts';
import { switchTask } from './task-switch.ts';

export interface Interruption {
  readonly vector: number;
  readonly errorCode?: number | undefined;
  /**
   * `fault`: the saved EFLAGS have RF set. `software`: INT n, INT3, INTO, whose gates are checked against CPL; for all
   * others error codes of faults on the way have EXT set.
   */
  readonly source: 'fault' | 'trap' | 'external' | 'software';
  readonly returnRip: bigint;
}

const debugException = 1;
const gateType = { task: 5, interrupt16: 6, trap16: 7, interrupt32: 14, trap32: 15 } as const;

function deliverReal(cpu: Processor, event: Interruption): void {
  const { state, mmu } = cpu;
  const { base, limit } = state.table('idtr');
  if (event.vector * 4 + 3 > limit) throw generalProtection();
  const entry = Number(BigInt.asUintN(32, base)) + event.vector * 4;
  const stack = new FrameStack(cpu, state.segment(segmentIndex.ss), state.gpr32(4), { implicit: true });
  const flags = state.eflags;
  stack.push(flags & 0xffff, 2);
  stack.push(state.selector(segmentIndex.cs), 2);
  stack.push(Number(event.returnRip & 0xffffn), 2);
  const offset = mmu.read(entry, 2, true);
  const selector = mmu.read(entry + 2, 2, true);
  state.setGpr(4, stack.merged(state.gpr(4)));
  state.eflags = flags & ~(eflags.if | eflags.tf | eflags.ac | eflags.rf);
  loadRealSegment(cpu, segmentIndex.cs, selector);
  state.rip = BigInt(offset);
}

interface Gate {
  readonly type: number;
  readonly selector: number;
  readonly offset: bigint;
  readonly ist: number;
}

/** Reads and checks the IDT gate. `ext`: EXT bit for the error codes of faults met on the way. */
function readGate(cpu: Processor, event: Interruption, ext: number): Gate {
  const { state, mmu } = cpu;
  const long = state.longMode;
  const size = long ? 16 : 8;
  const code = (event.vector << 3) | 2 | ext;
  const { base, limit } = state.table('idtr');
  if (event.vector * size + size - 1 > limit) throw generalProtection(code);
  const at = canonical(BigInt.asUintN(64, base + BigInt(event.vector * size)));
  if (at === undefined) throw generalProtection(code);
  const low = mmu.read(at, 4, true);
  const high = mmu.read(at + 4, 4, true);
  const type = (high >> 8) & 0x1f;
  const known = long
    ? type === gateType.interrupt32 || type === gateType.trap32
    : type === gateType.task || (type & 0x16) === 6;
  if (!known) throw generalProtection(code);
  if (event.source === 'software' && dplOf(high >> 8) < state.cpl) throw generalProtection(code);
  if ((high & 0x8000) === 0) throw notPresent(code);
  const offsetHigh = long ? BigInt(mmu.read(at + 8, 4, true)) << 32n : 0n;
  const wide = (type & 8) !== 0;
  const offset = (low & 0xffff) | (wide ? high & 0xffff_0000 : 0);
  return { type, selector: low >>> 16, offset: offsetHigh | BigInt(offset >>> 0), ist: long ? high & 7 : 0 };
}

interface Target {
  readonly descriptor: Descriptor;
  /** Privilege level that the handler runs at. */
  readonly level: number;
}

function readTarget(cpu: Processor, gate: Gate, ext: number): Target {
  const { state } = cpu;
  if (isNull(gate.selector)) throw generalProtection(ext);
  const code = (gate.selector & 0xfffc) | ext;
  const descriptor = readDescriptor(cpu, gate.selector, () => generalProtection(code));
  const attributes = attributesOf(descriptor);
  const dpl = dplOf(attributes);
  const isCode = (attributes & (attribute.s | attribute.code)) === (attribute.s | attribute.code);
  if (!isCode || dpl > state.cpl) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  if (state.longMode && (attributes & (attribute.long | attribute.big)) !== attribute.long)
    throw generalProtection(code);
  const conforming = (attributes & attribute.conforming) !== 0;
  return { descriptor, level: conforming ? state.cpl : dpl };
}

/** CS, RIP, flags and privilege of the handler, once its frame is written. */
function enter(cpu: Processor, gate: Gate, target: Target, flags: number): void {
  const { state } = cpu;
  markAccessed(cpu, target.descriptor);
  state.cpl = target.level;
  const interruptGate = (gate.type & 1) === 0;
  state.eflags = flags & ~(eflags.tf | eflags.vm | eflags.rf | eflags.nt | (interruptGate ? eflags.if : 0));
  state.setSegment(segmentIndex.cs, segmentValue((gate.selector & 0xfffc) | target.level, target.descriptor));
  state.rip = gate.offset;
}

function deliverLong(cpu: Processor, event: Interruption, ext: number): void {
  const { state } = cpu;
  const gate = readGate(cpu, event, ext);
  const target = readTarget(cpu, gate, ext);
  const inner = target.level < state.cpl;
  let top = state.gpr(4);
  if (gate.ist !== 0) top = stackFromTss64(cpu, 0, gate.ist);
  else if (inner) top = stackFromTss64(cpu, target.level, 0);
  canonicalTarget(gate.offset);
  const stack = new LongStack(cpu, top & ~15n, target.level < 3);
  stack.push(BigInt(state.selector(segmentIndex.ss)));
  stack.push(state.gpr(4));
  stack.push(BigInt(savedFlags(cpu, event)));
  stack.push(BigInt(state.selector(segmentIndex.cs)));
  stack.push(event.returnRip);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode));
  const flags = state.eflags;
  enter(cpu, gate, target, flags);
  if (inner) {
    const attributes = attribute.present | attribute.s | 3 | (target.level << 5);
    state.setSegment(segmentIndex.ss, { selector: target.level, base: 0n, limit: 0xffff_ffff, attributes });
  }
  state.setGpr(4, stack.pointer);
}

function deliverProtected(cpu: Processor, event: Interruption, ext: number): void {
  const { state } = cpu;
  const gate = readGate(cpu, event, ext);
  if ((gate.type & 0x1f) === gateType.task) {
    switchTask(cpu, gate.selector, 'interrupt', event.returnRip, ext);
    if (event.errorCode !== undefined) pushTaskError(cpu, event.errorCode);
    return;
  }
  const target = readTarget(cpu, gate, ext);
  const bytes = (gate.type & 8) !== 0 ? 4 : 2;
  const fromVirtual = state.virtual8086;
  if (fromVirtual && target.level !== 0) throw generalProtection((gate.selector & 0xfffc) | ext);
  const inner = target.level < state.cpl;
  const stack = inner ? innerStack(cpu, target.level, ext) : currentStack(cpu);
  if (Number(gate.offset) > segmentValue(0, target.descriptor).limit) throw generalProtection(ext);
  if (fromVirtual) {
    for (const index of [segmentIndex.gs, segmentIndex.fs, segmentIndex.ds, segmentIndex.es])
      stack.push(state.selector(index), bytes);
  }
  if (inner) {
    stack.push(state.selector(segmentIndex.ss), bytes);
    stack.push(state.gpr32(4), bytes);
  }
  stack.push(savedFlags(cpu, event), bytes);
  stack.push(state.selector(segmentIndex.cs), bytes);
  stack.push(Number(event.returnRip & 0xffff_ffffn), bytes);
  if (event.errorCode !== undefined) stack.push(event.errorCode, bytes);
  enter(cpu, gate, target, state.eflags);
  if (inner) state.setSegment(segmentIndex.ss, stack.segment);
  state.setGpr(4, stack.merged(state.gpr(4)));
  if (fromVirtual) {
    for (const index of [segmentIndex.gs, segmentIndex.fs, segmentIndex.ds, segmentIndex.es]) {
      state.setSegment(index, { selector: 0, base: 0n, limit: 0, attributes: 0 });
    }
  }
}

const currentStack = (cpu: Processor): FrameStack =>
  new FrameStack(cpu, cpu.state.segment(segmentIndex.ss), cpu.state.gpr32(4), { implicit: cpu.state.cpl < 3 });

function innerStack(cpu: Processor, level: number, ext: number): FrameStack {
  const { selector, pointer } = stackFromTss(cpu, level);
  const segment = checkedStackSegment(cpu, selector, level, ext);
  return new FrameStack(cpu, segment, pointer, {
    implicit: true,
    fault: () => new GuestFault(12, (selector & 0xfffc) | ext),
  });
}

/** The error code of an exception that went through a task gate goes on the new task's stack. */
function pushTaskError(cpu: Processor, errorCode: number): void {
  const { state } = cpu;
  const wide = (state.segmentAttributes(segmentIndex.cs) & attribute.big) !== 0;
  const stack = currentStack(cpu);
  stack.push(errorCode, wide ? 4 : 2);
  state.setGpr(4, stack.merged(state.gpr(4)));
}

/** A handler of debug exceptions finds DR7.GD clear. SDM Vol. 3B 18.2.4. */
function letDebugRegistersBeUsed({ state }: Processor): void {
  state.setDr(7, state.dr(7) & ~BigInt(dr7.gd));
}

/** Delivers one event. @throws GuestFault if delivery itself faults; nothing is committed then. */
export function deliver(cpu: Processor, event: Interruption): void {
  if (deliverFlat(cpu, event) || deliverFlat32(cpu, event)) return;
  deliverGeneral(cpu, event);
}

/** The same without the short way for what is usual. */
export function deliverGeneral(cpu: Processor, event: Interruption): void {
  const ext = event.source === 'software' ? 0 : 1;
  if (cpu.state.real) deliverReal(cpu, event);
  else if (cpu.state.longMode) deliverLong(cpu, event, ext);
  else deliverProtected(cpu, event, ext);
  cpu.state.midRepeat = false;
  if (event.vector === debugException && event.source !== 'software') letDebugRegistersBeUsed(cpu);
  cpu.modeChanged();
}
