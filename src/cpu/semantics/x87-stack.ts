/**
 * x87 instructions that only move values between registers, in emitted code: compilers clear the registers so on the way out of
 * functions (`-fzero-call-used-regs`). Stack faults, and other modes than 64-bit code, go to `system/x87`. SDM Vol. 1 8.1.
 */
import { x87Condition } from '../../spec/x86/floating-point.ts';
import { x87Status } from '../../spec/x86/x87.ts';
import { store } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import type { X87Operation } from '../emit/x87-operations.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';
import { codeOf, wait } from './x87-call.ts';

const signExponentOffset = 8;

interface Stack {
  readonly fsw: Value;
  /** Physical register of ST(0): i32, bound. */
  readonly top: Value;
  /** One bit per physical register. */
  readonly valid: Value;
}

function stackOf(o: Ops): Stack {
  const fsw = o.let(o.loadState32(state.fsw));
  const top = o.let(o.and(o.shrU(fsw, x87Status.topShift), 7));
  return { fsw, top, valid: o.let(o.loadState32(state.ftwValid)) };
}

/** Physical register of ST(i). */
const physical = (o: Ops, { top }: Stack, i: Value | number): Value => o.let(o.and(o.add(top, i), 7));
/** i32: 0 for an empty register, otherwise 1. */
const isValid = (o: Ops, { valid }: Stack, register: Value): Value => o.and(o.shrU(valid, register), 1);
const bit = (o: Ops, register: Value): Value => o.shl(o.i32(1), register);

interface Extended {
  readonly significand: Value;
  readonly signExponent: Value;
}

function read(o: Ops, register: Value): Extended {
  const address = o.let(o.shl(register, 4));
  return {
    significand: o.let(o.loadState64(address, state.fpr)),
    signExponent: o.let(o.loadState16(address, state.fpr + signExponentOffset)),
  };
}

function write(o: Ops, register: Value, { significand, signExponent }: Extended): void {
  const address = o.let(o.shl(register, 4));
  o.storeState(store.i64, address, state.fpr, significand);
  o.storeState(store.i32_16, address, state.fpr + signExponentOffset, signExponent);
}

/** Makes top of stack, tags and instruction pointer visible. C1 is cleared. */
function finish(o: Ops, { fsw }: Stack, top: Value, valid: Value): void {
  const kept = o.and(fsw, ~(x87Status.topMask | x87Condition.c1));
  o.storeState32(state.fsw, o.or(kept, o.shl(top, x87Status.topShift)));
  o.storeState32(state.ftwValid, valid);
  o.storeState64(state.fip, o.currentIp());
}

/** The instruction is a call of `operation` where it is unusual (i32). @returns whether anything else is to be emitted */
function usual(o: Ops, unusual: Value, call: () => void): boolean {
  if (!o.long) {
    call();
    return false;
  }
  o.rarely(unusual, call);
  return true;
}

export const loadConstant =
  (operation: X87Operation, significand: bigint, signExponent: number): Semantics =>
  (o) => {
    wait(o);
    const stack = stackOf(o);
    const target = physical(o, stack, 7);
    if (!usual(o, isValid(o, stack, target), () => o.host('x87', o.i32(codeOf(operation))))) return;
    write(o, target, { significand: o.i64(significand), signExponent: o.i32(signExponent) });
    finish(o, stack, target, o.or(stack.valid, bit(o, target)));
  };

/** FLD ST(i). */
export function loadRegister(o: Ops, x: Form): void {
  wait(o);
  const operand = operandAt(x, 0);
  const stack = stackOf(o);
  const source = physical(o, stack, o.registerNumber(operand));
  const target = physical(o, stack, 7);
  const unusual = o.or(o.isZero(isValid(o, stack, source)), isValid(o, stack, target));
  if (!usual(o, unusual, () => o.host('x87', o.i32(codeOf('load')), o.registerNumber(operand)))) return;
  write(o, target, read(o, source));
  finish(o, stack, target, o.or(stack.valid, bit(o, target)));
}

/** FST and FSTP ST(i), after their checks. */
export function storeRegister(o: Ops, operand: Operand, pops: number): void {
  const stack = stackOf(o);
  const { top, valid } = stack;
  const unusual = o.isZero(isValid(o, stack, top));
  const call = (): void => o.host('x87', o.i32(codeOf('store-register', { pops })), o.registerNumber(operand));
  if (!usual(o, unusual, call)) return;
  const target = physical(o, stack, o.registerNumber(operand));
  write(o, target, read(o, top));
  const filled = o.or(valid, bit(o, target));
  if (pops === 0) finish(o, stack, top, filled);
  else finish(o, stack, physical(o, stack, 1), o.and(filled, o.not(bit(o, top))));
}

export function exchange(o: Ops, x: Form): void {
  wait(o);
  const operand = operandAt(x, 1);
  const stack = stackOf(o);
  const other = physical(o, stack, o.registerNumber(operand));
  const unusual = o.isZero(o.and(isValid(o, stack, stack.top), isValid(o, stack, other)));
  if (!usual(o, unusual, () => o.host('x87', o.i32(codeOf('exchange')), o.registerNumber(operand)))) return;
  const [first, second] = [read(o, stack.top), read(o, other)];
  write(o, stack.top, second);
  write(o, other, first);
  finish(o, stack, stack.top, stack.valid);
}
