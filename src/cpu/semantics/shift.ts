/**
 * Shifts. The count is taken modulo 32, or 64 for 64-bit operands; a count of 0 changes no flags, but a 32-bit
 * register is zero-extended all the same. OF, defined for a count of 1 alone, follows the same formula for all counts, as
 * on Intel's processors. SDM Vol. 2 "SAL/SAR/SHL/SHR", "SHLD", "SHRD".
 */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import type { ShiftOperation } from '../emit/flags.ts';
import { bitsOf, type Form, type Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { knownNumber, operandAt } from './operands.ts';

/** The masked count, in the type of an operand of `bits`; bound. */
export function shiftCount(o: Ops, operand: Operand, bits: Bits): Value {
  const mask = bits === 64 ? 63 : 31;
  const raw = o.read(operand);
  const known = knownNumber(raw);
  if (known !== undefined) return o.constantOf(bits, known & mask);
  const masked = o.and(raw, mask);
  return o.let(bits === 64 ? o.extendU(masked) : masked);
}

/** Emits `body` for counts other than 0; `count` must be bound. */
export function unlessZero(o: Ops, count: Value, body: () => void): void {
  const known = knownNumber(count);
  if (known === undefined) o.if(o.ne(count, 0), body);
  else if (known !== 0) body();
}

const shift =
  (operation: ShiftOperation): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const count = shiftCount(o, operandAt(x, 1), bits);
    const old = o.modify(destination, (value) => o.shifted(operation, bits, value, count));
    unlessZero(o, count, () => o.setFlagsShift(operation, bits, old, count));
  };

/** Reads count and source of SHLD and SHRD. */
function doubleOperands(o: Ops, x: Form): { destination: Operand; bits: Bits; source: Value; count: Value } {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const count = shiftCount(o, operandAt(x, 2), bits);
  return { destination, bits, source: o.read(operandAt(x, 1)), count };
}

/** Flags of SHLD and SHRD: OF tells a change of sign. */
function setDoubleFlags(o: Ops, bits: Bits, old: Value, result: Value, carry: Value): void {
  o.setFlagsResult(bits, result, { cf: o.and(o.wrap(carry), 1), of: o.signBit(o.xor(old, result), bits) });
}

/**
 * 16-bit operands take counts up to 31. Above 16 the result is undefined; Intel's processors shift destination, source
 * and destination again as one 48-bit number, which gives the defined results for the other counts, too.
 */
function tripleWord(o: Ops, old: Value, source: Value): Value {
  const word = o.extendU(old);
  return o.or(o.or(o.shl(word, 32), o.shl(o.extendU(source), 16)), word);
}

function shld(o: Ops, x: Form): void {
  const { destination, bits, source, count } = doubleOperands(o, x);
  const shifted = (value: Value): Value => {
    if (bits === 16) {
      return o.zeroExtend(o.wrap(o.shrU(o.shl(tripleWord(o, value, source), o.extendU(count)), 32)), 16);
    }
    // A shift of the source by the width minus the count, in two steps so that a count of 0 gives 0.
    return o.or(o.shl(value, count), o.shrU(o.shrU(source, 1), o.sub(o.constantOf(bits, bits - 1), count)));
  };
  const old = o.modify(destination, shifted);
  unlessZero(o, count, () => {
    const carry =
      bits === 16
        ? o.shrU(tripleWord(o, old, source), o.sub(o.i64(48), o.extendU(count)))
        : o.shrU(old, o.sub(o.constantOf(bits, bits), count));
    setDoubleFlags(o, bits, old, o.let(shifted(old)), carry);
  });
}

function shrd(o: Ops, x: Form): void {
  const { destination, bits, source, count } = doubleOperands(o, x);
  const shifted = (value: Value): Value => {
    if (bits === 16) return o.zeroExtend(o.wrap(o.shrU(tripleWord(o, value, source), o.extendU(count))), 16);
    return o.or(o.shrU(value, count), o.shl(o.shl(source, 1), o.sub(o.constantOf(bits, bits - 1), count)));
  };
  const old = o.modify(destination, shifted);
  unlessZero(o, count, () => {
    const carry =
      bits === 16 ? o.shrU(tripleWord(o, old, source), o.sub(o.extendU(count), 1)) : o.shrU(old, o.sub(count, 1));
    setDoubleFlags(o, bits, old, o.let(shifted(old)), carry);
  });
}

export const shifts = {
  shl: shift('shl'),
  shr: shift('shr'),
  sar: shift('sar'),
  shld,
  shrd,
} as const satisfies Record<string, Semantics>;
