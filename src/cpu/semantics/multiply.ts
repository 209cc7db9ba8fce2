/** MUL and IMUL. SF, ZF, AF and PF, undefined by the SDM, follow the low half of the product. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import { type Ops, rax, rdx, type Semantics } from '../emit/ops.ts';
import { operandAt, readSource } from './operands.ts';

/** High 64 bits of the signed product of two bound i64. */
function mulHighS(o: Ops, a: Value, b: Value): Value {
  const correction = o.add(o.and(o.shrS(a, 63), b), o.and(o.shrS(b, 63), a));
  return o.let(o.sub(o.mulHighU(a, b), correction));
}

/** Writes rDX:rAX (AX for bytes) of one-operand multiplications. `low` and `high` bound, zero-extended. */
function writeProduct(o: Ops, bits: Bits, low: Value, high: Value): void {
  if (bits === 8) {
    o.setGpr(rax, 16, o.or(o.shl(high, 8), low));
  } else {
    o.setGpr(rax, bits, low);
    o.setGpr(rdx, bits, high);
  }
}

interface Product {
  readonly low: Value;
  readonly high: Value;
}

/** Both halves of a product of bound, zero-extended operands; bound, zero-extended. */
function multiply(o: Ops, bits: Bits, a: Value, b: Value, signed: boolean): Product {
  if (bits === 64) return { low: o.let(o.mul(a, b)), high: signed ? mulHighS(o, a, b) : o.mulHighU(a, b) };
  const wide = (value: Value): Value => (signed ? o.extendS(o.signExtend(value, bits)) : o.extendU(value));
  const product = o.let(o.mul(wide(a), wide(b)));
  return {
    low: o.let(o.zeroExtend(o.wrap(product), bits)),
    high: o.let(o.zeroExtend(o.wrap(o.shrU(product, bits)), bits)),
  };
}

/** Does the product need more than the low half? i32 0 or 1, bound. */
function overflows(o: Ops, bits: Bits, { low, high }: Product, signed: boolean): Value {
  if (!signed) return o.let(o.ne(high, 0));
  const sign = o.shrS(o.signExtend(low, bits), bits - 1);
  return o.let(o.ne(high, o.zeroExtend(sign, bits)));
}

const wide =
  (signed: boolean): Semantics =>
  (o, x) => {
    const operand = operandAt(x, 0);
    const bits = bitsOf(operand);
    const factor = o.read(operand);
    const product = multiply(o, bits, o.gpr(rax, bits), factor, signed);
    const overflow = overflows(o, bits, product, signed);
    writeProduct(o, bits, product.low, product.high);
    o.setFlagsResult(bits, product.low, { cf: overflow, of: overflow });
  };

/** IMUL of two or three operands: the product is cut to the destination; CF and OF tell whether that lost anything. */
function imul(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const factor = o.read(operandAt(x, 1));
  const third = x.operands[2];
  const other = third === undefined ? o.read(destination) : readSource(o, third, bits);
  const product = multiply(o, bits, factor, other, true);
  const overflow = overflows(o, bits, product, true);
  o.write(destination, product.low);
  o.setFlagsResult(bits, product.low, { cf: overflow, of: overflow });
}

export const multiplication = { mul: wide(false), imul1: wide(true), imul } as const satisfies Record<
  string,
  Semantics
>;
