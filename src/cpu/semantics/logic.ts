/** Bitwise logic: CF and OF cleared, ZF, SF and PF from the result. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt, readSource } from './operands.ts';

type Combine = (o: Ops, a: Value, b: Value) => Value;

const logical =
  (combine: Combine): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const source = readSource(o, operandAt(x, 1), bits);
    const old = o.modify(destination, (value) => combine(o, value, source));
    o.setFlagsLogic(bits, combine(o, old, source));
  };

function test(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const left = o.read(destination);
  o.setFlagsLogic(bits, o.and(left, readSource(o, operandAt(x, 1), bits)));
}

/** NOT changes no flags. */
function not(o: Ops, x: Form): void {
  o.modify(operandAt(x, 0), (value) => o.not(value));
}

export const logic = {
  and: logical((o, a, b) => o.and(a, b)),
  or: logical((o, a, b) => o.or(a, b)),
  xor: logical((o, a, b) => o.xor(a, b)),
  test,
  not,
} as const satisfies Record<string, Semantics>;
