/** Far JMP, CALL and RET. SDM Vol. 2A "CALL", "JMP", Vol. 2B "RET"; Vol. 3A 5.8. */
import { GuestFault, generalProtection, notPresent, stackFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, dplOf, type SegmentValue } from '../state/cpu-state.ts';
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
import { checkedStackSegment, stackFromTss, stackFromTss64 } from './privilege-stack.ts';
import { canonicalTarget, FrameStack, LongStack } from './stack.ts';
import { switchTask } from './task-switch.ts';

type Size = 16 | 32 | 64;

export interface FarTarget {
  readonly selector: number;
  readonly offset: bigint;
  readonly size: Size;
}

const cut = (value: bigint, size: Size): bigint => BigInt.asUintN(size, value);

const isCode = (attributes: number): boolean =>
  (attributes & (attribute.s | attribute.code)) === (attribute.s | attribute.code);

/** Both L and D set is reserved in long mode. */
const badLong = (cpu: Processor, attributes: number): boolean =>
  cpu.state.longMode && (attributes & attribute.long) !== 0 && (attributes & attribute.big) !== 0;

const isLong = (cpu: Processor, segment: SegmentValue): boolean =>
  cpu.state.longMode && (segment.attributes & attribute.long) !== 0;

/** The offset must lie in the new code segment (or be canonical, if that is a 64-bit one). @throws #GP(0). */
function checkOffset(cpu: Processor, offset: bigint, segment: SegmentValue): bigint {
  if (isLong(cpu, segment)) return canonicalTarget(offset);
  const small = BigInt.asUintN(32, offset);
  if (small > BigInt(segment.limit)) throw generalProtection();
  return small;
}

function commitCode(cpu: Processor, descriptor: Descriptor, segment: SegmentValue, offset: bigint): void {
  markAccessed(cpu, descriptor);
  cpu.state.setSegment(segmentIndex.cs, segment);
  cpu.state.rip = offset;
}

/** A code segment as the direct target of a far JMP or CALL: same privilege only. */
function checkedCode(cpu: Processor, selector: number, descriptor: Descriptor): SegmentValue {
  const attributes = attributesOf(descriptor);
  const code = selector & 0xfffc;
  const { cpl } = cpu.state;
  const dpl = dplOf(attributes);
  const conforming = (attributes & attribute.conforming) !== 0;
  const privileged = conforming ? dpl > cpl : (selector & 3) > cpl || dpl !== cpl;
  if (privileged || badLong(cpu, attributes)) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  return segmentValue(code | cpl, descriptor);
}

/**
 * Return CS:rIP on the current stack, in the operand size. A CALL from compatibility mode into 64-bit code pushes as 64-bit
 * code does: without the stack segment.
 */
class ReturnFrame {
  readonly #cpu: Processor;
  readonly #bytes: 2 | 4 | 8;
  readonly #stack: FrameStack | LongStack;

  constructor(cpu: Processor, size: Size, code64 = cpu.state.code64) {
    const { state } = cpu;
    this.#cpu = cpu;
    this.#bytes = (size / 8) as 2 | 4 | 8;
    this.#stack = code64
      ? new LongStack(cpu, state.gpr(4), false)
      : new FrameStack(cpu, state.segment(segmentIndex.ss), state.gpr32(4), { implicit: false });
  }

  push(value: bigint): void {
    const stack = this.#stack;
    if (stack instanceof FrameStack) {
      stack.push(Number(BigInt.asUintN(32, value)), this.#bytes === 2 ? 2 : 4);
    } else {
      stack.push(value, this.#bytes);
    }
  }

  /** Faults as pushing `count` values would. */
  probe(count: number): void {
    const stack = this.#stack;
    if (stack instanceof FrameStack) stack.probe(this.#bytes === 2 ? 2 : 4, count);
    else stack.probe(this.#bytes, count);
  }

  #peek(slot: number, bytes: 2 | 4 | 8): bigint {
    const stack = this.#stack;
    const offset = slot * this.#bytes;
    return stack instanceof FrameStack ? BigInt(stack.peek(offset, bytes === 2 ? 2 : 4)) : stack.peek(offset, bytes);
  }

  /** The slot `slot` above the top. */
  value(slot: number): bigint {
    return this.#peek(slot, this.#bytes);
  }

  /** A selector: processors read no more of its slot. */
  selector(slot: number): number {
    return Number(this.#peek(slot, 2));
  }

  /** Drops `slots`, and as many bytes as RET's immediate says. */
  release(slots: number, bytes: number): void {
    this.#stack.drop(slots * this.#bytes + bytes);
  }

  commit(): void {
    const { state } = this.#cpu;
    state.setGpr(4, this.#stack instanceof FrameStack ? this.#stack.merged(state.gpr(4)) : this.#stack.pointer);
  }
}

const systemType = { tss16: 1, taskGate: 5, callGate16: 4, tss32: 9, callGate32: 12 } as const;

interface CallGate {
  readonly selector: number;
  readonly offset: bigint;
  readonly wide: boolean;
  readonly parameters: number;
}

function readCallGate(cpu: Processor, selector: number, gate: Descriptor): CallGate {
  const { state } = cpu;
  const attributes = attributesOf(gate);
  const code = selector & 0xfffc;
  const type = attributes & 0xf;
  const dpl = dplOf(attributes);
  if (
    state.longMode ? type !== systemType.callGate32 : type !== systemType.callGate16 && type !== systemType.callGate32
  ) {
    throw generalProtection(code);
  }
  if (dpl < state.cpl || dpl < (selector & 3)) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  const wide = type === systemType.callGate32;
  let offset = BigInt(((gate.low & 0xffff) | (wide ? gate.high & 0xffff_0000 : 0)) >>> 0);
  if (state.longMode) {
    const top = cpu.mmu.read(gate.address + 8, 4, true);
    if ((cpu.mmu.read(gate.address + 12, 4, true) & 0x1f00) !== 0) throw generalProtection(code);
    offset |= BigInt(top) << 32n;
  }
  return { selector: gate.low >>> 16, offset, wide, parameters: gate.high & 0x1f };
}

function throughCallGate(cpu: Processor, gate: CallGate, call: boolean, returnRip: bigint): void {
  const { state } = cpu;
  if (isNull(gate.selector)) throw generalProtection();
  const descriptor = readDescriptor(cpu, gate.selector);
  const attributes = attributesOf(descriptor);
  const code = gate.selector & 0xfffc;
  const dpl = dplOf(attributes);
  const conforming = (attributes & attribute.conforming) !== 0;
  const is64 = (attributes & (attribute.long | attribute.big)) === attribute.long;
  if (!isCode(attributes) || (state.longMode && !is64)) throw generalProtection(code);
  if (call ? dpl > state.cpl : conforming ? dpl > state.cpl : dpl !== state.cpl) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  const level = call && !conforming ? dpl : state.cpl;
  const segment = segmentValue(code | level, descriptor);
  const target = checkOffset(cpu, gate.wide ? gate.offset : cut(gate.offset, 16), segment);
  const size: Size = state.longMode ? 64 : gate.wide ? 32 : 16;
  if (call && level < state.cpl) {
    innerCall(cpu, gate, level, size, returnRip);
  } else if (call) {
    const frame = new ReturnFrame(cpu, size);
    frame.push(BigInt(state.selector(segmentIndex.cs)));
    frame.push(returnRip);
    frame.commit();
  }
  commitCode(cpu, descriptor, segment, target);
  state.cpl = level;
}

/** CALL through a gate to an inner level: new stack from the TSS, parameters copied. */
function innerCall(cpu: Processor, gate: CallGate, level: number, size: Size, returnRip: bigint): void {
  const { state } = cpu;
  const oldSs = state.selector(segmentIndex.ss);
  const oldCs = state.selector(segmentIndex.cs);
  if (size === 64) {
    const stack = new LongStack(cpu, stackFromTss64(cpu, level, 0), true);
    for (const value of [BigInt(oldSs), state.gpr(4), BigInt(oldCs), returnRip]) stack.push(value);
    const attributes = attribute.present | attribute.s | 3 | (level << 5);
    state.setSegment(segmentIndex.ss, { selector: level, base: 0n, limit: 0xffff_ffff, attributes });
    state.setGpr(4, stack.pointer);
    return;
  }
  const bytes = size === 32 ? 4 : 2;
  const top = stackFromTss(cpu, level);
  const segment = checkedStackSegment(cpu, top.selector, level, 0);
  const old = new FrameStack(cpu, state.segment(segmentIndex.ss), state.gpr32(4), { implicit: false });
  const parameters = Array.from({ length: gate.parameters }, () => old.pop(bytes));
  const stack = new FrameStack(cpu, segment, top.pointer, {
    implicit: true,
    fault: () => new GuestFault(12, top.selector & 0xfffc),
  });
  stack.push(oldSs, bytes);
  stack.push(state.gpr32(4), bytes);
  for (const parameter of parameters.reverse()) stack.push(parameter, bytes);
  stack.push(oldCs, bytes);
  stack.push(Number(BigInt.asUintN(32, returnRip)), bytes);
  state.setSegment(segmentIndex.ss, segment);
  state.setGpr(4, stack.merged(state.gpr(4)));
}

/** Far JMP or CALL to `target`; `returnRip` is behind the instruction. */
export function farTransfer(cpu: Processor, target: FarTarget, call: boolean, returnRip: bigint): void {
  const { state } = cpu;
  const { selector, size } = target;
  if (state.realSegments) {
    const offset = cut(target.offset, size);
    if (offset > BigInt(state.segmentLimit(segmentIndex.cs))) throw generalProtection();
    if (call) {
      const frame = new ReturnFrame(cpu, size);
      frame.push(BigInt(state.selector(segmentIndex.cs)));
      frame.push(returnRip);
      frame.commit();
    }
    loadRealSegment(cpu, segmentIndex.cs, selector);
    state.rip = offset;
    cpu.modeChanged();
    return;
  }
  if (isNull(selector)) throw generalProtection();
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  if (isCode(attributes)) {
    const segment = checkedCode(cpu, selector, descriptor);
    const frame = new ReturnFrame(cpu, size, state.code64 || isLong(cpu, segment));
    if (call) frame.probe(2);
    const offset = checkOffset(cpu, cut(target.offset, size), segment);
    if (call) {
      frame.push(BigInt(state.selector(segmentIndex.cs)));
      frame.push(returnRip);
      frame.commit();
    }
    commitCode(cpu, descriptor, segment, offset);
  } else if ((attributes & attribute.s) !== 0) {
    throw generalProtection(selector & 0xfffc);
  } else {
    systemTarget(cpu, selector, descriptor, call, returnRip);
  }
  cpu.modeChanged();
}

function systemTarget(
  cpu: Processor,
  selector: number,
  descriptor: Descriptor,
  call: boolean,
  returnRip: bigint,
): void {
  const attributes = attributesOf(descriptor);
  const type = attributes & 0xf;
  const code = selector & 0xfffc;
  const isTask = type === systemType.tss16 || type === systemType.tss32 || type === systemType.taskGate;
  if (!isTask) {
    throughCallGate(cpu, readCallGate(cpu, selector, descriptor), call, returnRip);
    return;
  }
  const dpl = dplOf(attributes);
  if (cpu.state.longMode || dpl < cpu.state.cpl || dpl < (selector & 3)) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  const tss = type === systemType.taskGate ? descriptor.low >>> 16 : selector;
  switchTask(cpu, tss, call ? 'call' : 'jump', returnRip, 0);
}

/** After a return to an outer level, data segments that it may not see are made unusable. SDM Vol. 2B "RET". */
export function dropInnerSegments(cpu: Processor): void {
  const { state } = cpu;
  for (const index of [segmentIndex.es, segmentIndex.ds, segmentIndex.fs, segmentIndex.gs]) {
    const attributes = state.segmentAttributes(index);
    const selector = state.selector(index);
    // As it will be already, most of the time.
    if (selector === 0 && attributes === 0 && state.segmentLimit(index) === 0) continue;
    const conforming =
      (attributes & (attribute.code | attribute.conforming)) === (attribute.code | attribute.conforming);
    if (isNull(selector) || (!conforming && dplOf(attributes) < state.cpl)) {
      const base = isNull(selector) ? state.segmentBase(index) : 0n;
      state.setSegment(index, { selector: 0, base, limit: 0, attributes: 0 });
    }
  }
}

/** The code segment that RET and IRET go back to. @throws #GP(selector), #NP(selector). */
export function checkedReturnCode(
  cpu: Processor,
  selector: number,
): { descriptor: Descriptor; segment: SegmentValue; level: number } {
  if (isNull(selector)) throw generalProtection();
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const code = selector & 0xfffc;
  const level = selector & 3;
  const dpl = dplOf(attributes);
  const conforming = (attributes & attribute.conforming) !== 0;
  if (!isCode(attributes) || level < cpu.state.cpl || badLong(cpu, attributes)) throw generalProtection(code);
  if (conforming ? dpl > level : dpl !== level) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  return { descriptor, segment: segmentValue(selector, descriptor), level };
}

/** The stack segment that RET and IRET to `level` go back to. @throws #GP, #SS. */
export function checkedReturnStack(cpu: Processor, selector: number, level: number, to64: boolean): SegmentValue {
  if (isNull(selector)) {
    if (!to64 || level === 3 || (selector & 3) !== level) throw generalProtection();
    return { selector, base: 0n, limit: 0, attributes: attribute.present | attribute.s | 3 | (level << 5) };
  }
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const code = selector & 0xfffc;
  const writable =
    (attributes & (attribute.s | attribute.code | attribute.writable)) === (attribute.s | attribute.writable);
  if ((selector & 3) !== level || dplOf(attributes) !== level || !writable) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw stackFault(code);
  markAccessed(cpu, descriptor);
  return segmentValue(selector, descriptor);
}

/** Far RET; `release` bytes of parameters are dropped from both stacks. */
export function farReturn(cpu: Processor, size: Size, release: number): void {
  const { state } = cpu;
  const frame = new ReturnFrame(cpu, size);
  const selector = frame.selector(1);
  const offset = frame.value(0);
  if (state.realSegments) {
    if (offset > BigInt(state.segmentLimit(segmentIndex.cs))) throw generalProtection();
    frame.release(2, release);
    frame.commit();
    loadRealSegment(cpu, segmentIndex.cs, selector);
    state.rip = offset;
    cpu.modeChanged();
    return;
  }
  const { descriptor, segment, level } = checkedReturnCode(cpu, selector);
  frame.release(2, release);
  if (level === state.cpl) {
    const target = checkOffset(cpu, offset, segment);
    frame.commit();
    commitCode(cpu, descriptor, segment, target);
  } else {
    const pointer = frame.value(0);
    const ssSelector = frame.selector(1);
    const to64 = state.longMode && (segment.attributes & attribute.long) !== 0;
    const stack = checkedReturnStack(cpu, ssSelector, level, to64);
    const target = checkOffset(cpu, offset, segment);
    commitCode(cpu, descriptor, segment, target);
    state.cpl = level;
    state.setSegment(segmentIndex.ss, stack);
    const big = to64 || (stack.attributes & attribute.big) !== 0;
    const value = pointer + BigInt(release);
    state.setGpr(4, big ? cut(value, to64 ? 64 : 32) : (state.gpr(4) & ~0xffffn) | cut(value, 16));
    dropInnerSegments(cpu);
  }
  cpu.modeChanged();
}
