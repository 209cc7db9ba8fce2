/** Addition, subtraction and comparison. Writes come before flags: a fault leaves the flags intact. SDM Vol. 2. */
import { bitsOf, type Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt, readSource } from './operands.ts';

function add(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = readSource(o, operandAt(x, 1), bits);
  const old = o.modify(destination, (value) => o.add(value, source));
  o.setFlagsAdd(bits, old, source, o.let(o.add(old, source)));
}

function sub(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = readSource(o, operandAt(x, 1), bits);
  const old = o.modify(destination, (value) => o.sub(value, source));
  o.setFlagsSub(bits, old, source, o.let(o.sub(old, source)));
}

function adc(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = readSource(o, operandAt(x, 1), bits);
  const carry = o.cf();
  const addend = o.let(o.add(source, bits === 64 ? o.extendU(carry) : carry));
  const old = o.modify(destination, (value) => o.add(value, addend));
  o.setFlagsAdd(bits, old, source, o.let(o.add(old, addend)), true);
}

function sbb(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = readSource(o, operandAt(x, 1), bits);
  const borrow = o.cf();
  const subtrahend = o.let(o.add(source, bits === 64 ? o.extendU(borrow) : borrow));
  const old = o.modify(destination, (value) => o.sub(value, subtrahend));
  o.setFlagsSub(bits, old, source, o.let(o.sub(old, subtrahend)), true);
}

function cmp(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const left = o.read(destination);
  const right = readSource(o, operandAt(x, 1), bits);
  o.setFlagsSub(bits, left, right, o.let(o.sub(left, right)));
}

function inc(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const old = o.modify(destination, (value) => o.add(value, 1));
  o.setFlagsInc(bitsOf(destination), o.let(o.add(old, 1)));
}

function dec(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const old = o.modify(destination, (value) => o.sub(value, 1));
  o.setFlagsDec(bitsOf(destination), o.let(o.sub(old, 1)));
}

/** NEG: flags as of 0 - operand. */
function neg(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const old = o.modify(destination, (value) => o.neg(value));
  o.setFlagsSub(bitsOf(destination), o.constant(old, 0), old, o.let(o.neg(old)));
}

export const arithmetic = { add, sub, adc, sbb, cmp, inc, dec, neg } as const satisfies Record<string, Semantics>;
