/** IRET in every mode. SDM Vol. 2A "IRET/IRETD/IRETQ". */
import { eflags } from '../../spec/x86/registers.ts';
import { generalProtection } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute } from '../state/cpu-state.ts';
import { segmentIndex, shadowBit } from '../state/layout.ts';
import { loadRealSegment, markAccessed } from './descriptors.ts';
import { checkedReturnCode, checkedReturnStack, dropInnerSegments } from './far-transfer.ts';
import { loadedByAll, loadedByWide, returnedFlags } from './returned-flags.ts';
import { canonicalTarget, FrameStack, LongStack } from './stack.ts';
import { returnFromTask } from './task-switch.ts';

type Size = 16 | 32 | 64;

interface Frame {
  readonly offset: number;
  readonly selector: number;
  readonly image: number;
}

/** The stack that IRET pops from outside 64-bit mode. `frame` takes what is always popped, in the processors' order. */
function popFrom(cpu: Processor, size: Size): { frame(): Frame; pop(): number; commit(): void } {
  const { state } = cpu;
  const stack = new FrameStack(cpu, state.segment(segmentIndex.ss), state.gpr32(4), { implicit: false });
  const bytes = size === 16 ? 2 : 4;
  return {
    frame: () => {
      const image = stack.peek(2 * bytes, bytes);
      const selector = stack.peek(bytes, 2);
      const offset = stack.peek(0, bytes);
      stack.drop(3 * bytes);
      return { image, selector, offset };
    },
    pop: () => stack.pop(bytes),
    commit: () => state.setGpr(4, stack.merged(state.gpr(4))),
  };
}

function iretReal(cpu: Processor, size: Size): void {
  const { state } = cpu;
  if (state.virtual8086 && state.iopl < 3) throw generalProtection();
  const stack = popFrom(cpu, size);
  const { image, selector, offset } = stack.frame();
  if (offset > state.segmentLimit(segmentIndex.cs)) throw generalProtection();
  stack.commit();
  loadRealSegment(cpu, segmentIndex.cs, selector);
  state.rip = BigInt(offset);
  const mask = loadedByAll | eflags.if | (state.virtual8086 ? 0 : eflags.iopl) | (size === 16 ? 0 : loadedByWide);
  state.eflags = (state.eflags & ~mask) | (image & mask);
}

/** IRETD at CPL 0 with VM set in the image: into virtual-8086 mode. */
function toVirtual8086(
  cpu: Processor,
  stack: { pop(): number },
  offset: number,
  selector: number,
  image: number,
): void {
  const { state } = cpu;
  if (offset > 0xffff) throw generalProtection();
  const pointer = stack.pop();
  const [ss, es, ds, fs, gs] = [stack.pop(), stack.pop(), stack.pop(), stack.pop(), stack.pop()] as [
    number,
    number,
    number,
    number,
    number,
  ];
  state.eflags = image | eflags.vm;
  state.cpl = 3;
  state.setGpr32(4, pointer);
  const entries = [
    [segmentIndex.cs, selector],
    [segmentIndex.ss, ss],
    [segmentIndex.es, es],
    [segmentIndex.ds, ds],
    [segmentIndex.fs, fs],
    [segmentIndex.gs, gs],
  ] as const;
  for (const [index, value] of entries) loadRealSegment(cpu, index, value & 0xffff);
  state.rip = BigInt(offset & 0xffff);
}

function iretProtected(cpu: Processor, size: Size): void {
  const { state } = cpu;
  const cpl = state.cpl;
  const stack = popFrom(cpu, size);
  const { image, selector, offset } = stack.frame();
  if (size === 32 && (image & eflags.vm) !== 0 && cpl === 0 && !state.longMode) {
    toVirtual8086(cpu, stack, offset, selector, image);
    return;
  }
  const { descriptor, segment, level } = checkedReturnCode(cpu, selector);
  const to64 = state.longMode && (segment.attributes & attribute.long) !== 0;
  const checkTarget = (): void => {
    if (to64) canonicalTarget(BigInt(offset));
    else if (offset > segment.limit) throw generalProtection();
  };
  if (level === cpl) {
    checkTarget();
    stack.commit();
  } else {
    const pointer = stack.pop();
    const ss = checkedReturnStack(cpu, stack.pop() & 0xffff, level, to64);
    checkTarget();
    state.setSegment(segmentIndex.ss, ss);
    const old = state.gpr(4);
    const keep = (ss.attributes & attribute.big) === 0 && !to64;
    state.setGpr(4, keep ? (old & ~0xffffn) | BigInt(pointer & 0xffff) : BigInt(pointer));
  }
  state.eflags = returnedFlags(cpu, image, size, cpl);
  markAccessed(cpu, descriptor);
  state.setSegment(segmentIndex.cs, segment);
  state.rip = BigInt(offset);
  state.cpl = level;
  if (level !== cpl) dropInnerSegments(cpu);
}

/** From 64-bit code: SS:RSP is always popped. */
function iretLong(cpu: Processor, size: Size): void {
  const { state } = cpu;
  const cpl = state.cpl;
  const source = new LongStack(cpu, state.gpr(4), false);
  const bytes = (size / 8) as 2 | 4 | 8;
  const slot = (number: number): bigint => source.peek(number * bytes, bytes);
  const image = Number(slot(2) & 0xffff_ffffn);
  const selector = Number(source.peek(bytes, 2));
  const offset = slot(0);
  const { descriptor, segment, level } = checkedReturnCode(cpu, selector);
  const pointer = slot(3);
  const ssSelector = Number(source.peek(4 * bytes, 2));
  const to64 = (segment.attributes & attribute.long) !== 0;
  const ss = checkedReturnStack(cpu, ssSelector, level, to64);
  if (to64) canonicalTarget(offset);
  else if (BigInt.asUintN(32, offset) > BigInt(segment.limit)) throw generalProtection();
  state.eflags = returnedFlags(cpu, image, size, cpl);
  markAccessed(cpu, descriptor);
  state.setSegment(segmentIndex.cs, segment);
  state.setSegment(segmentIndex.ss, ss);
  state.rip = to64 ? offset : BigInt.asUintN(32, offset);
  state.cpl = level;
  const big = to64 || (ss.attributes & attribute.big) !== 0;
  state.setGpr(4, big ? BigInt.asUintN(to64 ? 64 : 32, pointer) : (state.gpr(4) & ~0xffffn) | (pointer & 0xffffn));
  if (level !== cpl) dropInnerSegments(cpu);
}

/** Executes IRET with the given operand size; NMIs are unblocked. @throws GuestFault with nothing changed. */
export function iret(cpu: Processor, size: Size, nextRip: bigint): void {
  const { state } = cpu;
  if (state.realSegments) iretReal(cpu, size);
  else if (state.flag(eflags.nt)) {
    if (state.longMode) throw generalProtection();
    returnFromTask(cpu, nextRip);
  } else if (state.code64) iretLong(cpu, size);
  else iretProtected(cpu, size);
  state.shadow &= ~shadowBit.nmi;
  // RF would go away with the next instruction; without instruction breakpoints nobody can tell.
  if (!cpu.debug.watchesInstructions) state.setFlag(eflags.rf, false);
  cpu.modeChanged();
}
