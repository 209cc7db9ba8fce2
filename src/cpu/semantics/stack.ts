/** Pushes, pops and stack frames. Memory is written before any register, so that a fault changes nothing. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import { type Ops, rax, rbp, rbx, rcx, rdi, rdx, rsi, rsp, type Semantics } from '../emit/ops.ts';
import { segmentAt, segmentField, segmentIndex } from '../state/layout.ts';
import { operandAt } from './operands.ts';

function push(o: Ops, x: Form): void {
  const source = operandAt(x, 0);
  const bits = x.operandSize;
  if (source.kind === 'immediate') {
    o.push(o.let(o.immediate(source, bits)), bits);
  } else if (source.kind === 'segment') {
    pushSegment(o, o.read(source), bits);
  } else {
    o.push(o.read(source), bits);
  }
}

/** PUSH of a segment register. Of a 32-bit slot processors write the lower half alone; 64-bit slots are zero-extended. */
function pushSegment(o: Ops, selector: Value, bits: 16 | 32 | 64): void {
  if (bits !== 32) {
    o.push(o.resizeU(selector, 16, bits), bits);
    return;
  }
  o.poke(16, -4, selector);
  o.adjustStack(-4);
}

function pop(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = x.operandSize;
  if (destination.kind === 'segment') {
    popSegment(o, destination, bits);
  } else if (destination.kind === 'memory') {
    popMemory(o, x, destination);
  } else {
    // POP rSP: the value replaces the incremented pointer.
    o.write(destination, o.pop(bits));
  }
}

/** An address based on rSP counts from the incremented pointer, and a fault of the write leaves rSP as it was. */
function popMemory(o: Ops, x: Form, destination: Operand): void {
  const bytes = x.operandSize / 8;
  const value = o.peek(x.operandSize);
  const increment = o.extendU(o.select(o.basedOnStack(destination), o.i32(bytes), o.i32(0)));
  const effective = o.let(o.zeroExtend(o.add(o.effectiveAddress(destination), increment), x.addressSize));
  o.storeMemory(o.linearOf(effective, bytes, 'write'), bytes, value);
  o.adjustStack(bytes);
}

/** Loads the segment register (`pop-sreg`, `pop-ss`: its number, the selector), then moves rSP by the stack size of before. */
function popSegment(o: Ops, destination: Operand, bits: 16 | 32 | 64): void {
  const selector = o.peek(16);
  const stackPointer = o.let(movedStack(o, bits / 8));
  const number = ((destination.address as number) - segmentField.selector - segmentAt(0)) / segmentField.size;
  o.host(number === segmentIndex.ss ? 'pop-ss' : 'pop-sreg', o.i64(number), selector);
  o.storeState64(rsp, stackPointer);
  o.findAnew();
}

/** All of rSP as it will be `bytes` up: i64. */
const movedStack = (o: Ops, bytes: number): Value => o.stackPointerAs(o.add(o.loadState64(rsp), bytes));

const pushedRegisters = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi];

/** PUSHA, PUSHAD: rSP is pushed as it was before. */
function pusha(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const bytes = bits / 8;
  pushedRegisters.forEach((register, position) => {
    o.poke(bits, -(position + 1) * bytes, o.gpr(register, bits));
  });
  o.adjustStack(-pushedRegisters.length * bytes);
}

/** POPA, POPAD: the slot of rSP is skipped. */
function popa(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const bytes = bits / 8;
  const popped = pushedRegisters
    .map((register, position) => ({ register, offset: (pushedRegisters.length - 1 - position) * bytes }))
    .filter(({ register }) => register !== rsp)
    .reverse()
    .map(({ register, offset }) => ({ register, value: o.peek(bits, offset) }));
  o.adjustStack(pushedRegisters.length * bytes);
  for (const { register, value } of popped) o.setGpr(register, bits, value);
}

/**
 * ENTER: pushes rBP, copies `level` - 1 frame pointers, pushes the new one, reserves bytes. The write to the final
 * stack pointer that ENTER checks is made with what is there already.
 */
function enter(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const bytes = bits / 8;
  const reserved = o.let(o.extendU(o.immediate(operandAt(x, 0), 16)));
  const level = o.let(o.and(o.immediate2(), 31));
  const base = o.gpr(rbp, 64);
  o.poke(bits, -bytes, o.resizeU(base, 64, bits));
  const frame = o.let(movedStack(o, -bytes));
  const offset = o.variable('i64', o.i64(-bytes));
  o.if(level, () => {
    copyFrames(o, { bits, base, level, offset: (value) => o.set(offset, value), current: () => o.get(offset) });
    o.set(offset, o.sub(o.get(offset), bytes));
    o.poke(bits, o.get(offset), o.resizeU(frame, 64, bits));
  });
  const top = o.let(o.sub(o.add(o.stackPointer(), o.get(offset)), reserved));
  o.modifyMemory(o.stackLinear(top, bytes, 'modify'), bytes, (old) => old);
  o.setGpr(rbp, bits, o.resizeU(frame, 64, bits));
  o.setStackPointer(top);
}

interface FrameCopy {
  readonly bits: 16 | 32 | 64;
  /** rBP: i64. */
  readonly base: Value;
  readonly level: Value;
  /** Distance from rSP of the last slot written: i64. */
  readonly current: () => Value;
  readonly offset: (value: Value) => void;
}

/** Pushes `level` - 1 frame pointers found below rBP. */
function copyFrames(o: Ops, copy: FrameCopy): void {
  const bytes = copy.bits / 8;
  const source = o.variable('i64', copy.base);
  const left = o.variable('i32', copy.level);
  o.block((leave) => {
    o.loop((again) => {
      o.set(left, o.sub(o.get(left), 1));
      o.branchIf(o.isZero(o.get(left)), leave);
      o.set(source, o.sub(o.get(source), bytes));
      copy.offset(o.sub(copy.current(), bytes));
      const value = o.loadMemory(o.stackLinear(o.get(source), bytes, 'read'), bytes);
      o.poke(copy.bits, copy.current(), value);
      o.branch(again);
    });
  });
}

/** LEAVE: rSP = rBP, then POP rBP. */
function leave(o: Ops, x: Form): void {
  const bits = x.operandSize;
  const base = o.gpr(rbp, 64);
  const value = o.loadMemory(o.stackLinear(base, bits / 8, 'read'), bits / 8);
  o.setStackPointer(o.add(base, bits / 8));
  o.setGpr(rbp, bits, value);
}

export const stack = { push, pop, pusha, popa, enter, leave } as const satisfies Record<string, Semantics>;
