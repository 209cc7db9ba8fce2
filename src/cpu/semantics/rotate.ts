/**
 * Rotates. They change CF and OF alone, and neither when the masked count is 0. OF is defined for a count of 1; here the
 * same formula serves all counts. SDM Vol. 2 "RCL/RCR/ROL/ROR".
 */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { knownNumber, operandAt } from './operands.ts';
import { shiftCount, unlessZero } from './shift.ts';

/** Rotates a zero-extended operand of 8 or 16 bits left by `count` (any number). */
function rotateNarrow(o: Ops, value: Value, count: Value, bits: 8 | 16): Value {
  const left = o.and(count, bits - 1);
  const doubled = o.or(o.shl(value, bits), value);
  return o.zeroExtend(o.shrU(o.shl(doubled, left), bits), bits);
}

function rotateLeft(o: Ops, value: Value, count: Value, bits: Bits): Value {
  return bits === 8 || bits === 16 ? rotateNarrow(o, value, count, bits) : o.rotl(value, count);
}

function rotateRight(o: Ops, value: Value, count: Value, bits: Bits): Value {
  return bits === 8 || bits === 16 ? rotateNarrow(o, value, o.neg(count), bits) : o.rotr(value, count);
}

function rol(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const count = shiftCount(o, operandAt(x, 1), bits);
  const old = o.modify(destination, (value) => rotateLeft(o, value, count, bits));
  unlessZero(o, count, () => {
    const result = o.let(rotateLeft(o, old, count, bits));
    const cf = o.let(o.and(o.wrap(result), 1));
    o.setFlags({ cf, of: o.xor(o.signBit(result, bits), cf) });
  });
}

function ror(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const count = shiftCount(o, operandAt(x, 1), bits);
  const old = o.modify(destination, (value) => rotateRight(o, value, count, bits));
  unlessZero(o, count, () => {
    const result = o.let(rotateRight(o, old, count, bits));
    const cf = o.let(o.signBit(result, bits));
    o.setFlags({ cf, of: o.xor(cf, o.signBit(o.shl(result, 1), bits)) });
  });
}

/** The count modulo the width with CF, where that differs from the masked count; bound. */
function throughCarryCount(o: Ops, x: Form, bits: Bits): Value {
  const count = shiftCount(o, operandAt(x, 1), bits);
  if (bits === 32 || bits === 64) return count;
  const known = knownNumber(count);
  return known === undefined ? o.let(o.remU(count, bits + 1)) : o.i32(known % (bits + 1));
}

/** CF above an operand of up to 32 bits: i64. */
const withCarry = (o: Ops, value: Value, carry: Value, bits: Bits): Value =>
  o.or(o.shl(o.extendU(carry), bits), o.extendU(value));

function rcl(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const count = throughCarryCount(o, x, bits);
  const carryIn = o.let(o.cf());
  const rotated = (value: Value): Value => {
    if (bits === 64) return rotateLeftCarry64(o, value, o.extendU(carryIn), count);
    const wide = withCarry(o, value, carryIn, bits);
    const narrow = o.extendU(count);
    return o.or(o.shl(wide, narrow), o.shrU(wide, o.sub(o.i64(bits + 1), narrow)));
  };
  const old = o.modify(destination, (value) => narrowed(o, rotated(value), bits));
  unlessZero(o, count, () => {
    const wide = o.let(rotated(old));
    const cf = bits === 64 ? o.shrU(old, o.sub(o.i64(64), count)) : o.shrU(wide, bits);
    o.setFlags({ cf: o.and(o.wrap(cf), 1), of: o.signBit(o.xor(old, o.shl(old, 1)), bits) });
  });
}

function rcr(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const count = throughCarryCount(o, x, bits);
  const carryIn = o.let(o.cf());
  const rotated = (value: Value): Value => {
    if (bits === 64) return rotateRightCarry64(o, value, o.extendU(carryIn), count);
    const wide = withCarry(o, value, carryIn, bits);
    const narrow = o.extendU(count);
    return o.or(o.shrU(wide, narrow), o.shl(wide, o.sub(o.i64(bits + 1), narrow)));
  };
  const old = o.modify(destination, (value) => narrowed(o, rotated(value), bits));
  unlessZero(o, count, () => {
    const cf = o.let(o.and(o.wrap(o.shrU(old, o.sub(count, 1))), 1));
    o.setFlags({ cf, of: o.xor(o.signBit(old, bits), carryIn) });
  });
}

const narrowed = (o: Ops, value: Value, bits: Bits): Value => (bits === 64 ? value : o.zeroExtend(o.wrap(value), bits));

/** 65-bit rotations; a count of 0 returns `value`. */
function rotateLeftCarry64(o: Ops, value: Value, carry: Value, count: Value): Value {
  const low = o.or(o.shl(carry, o.sub(count, 1)), o.shrU(o.shrU(value, 1), o.sub(o.i64(64), count)));
  return o.select(o.isZero(count), value, o.or(o.shl(value, count), low));
}

function rotateRightCarry64(o: Ops, value: Value, carry: Value, count: Value): Value {
  const back = o.sub(o.i64(64), count);
  const high = o.or(o.shl(carry, back), o.shl(o.shl(value, 1), back));
  return o.select(o.isZero(count), value, o.or(o.shrU(value, count), high));
}

export const rotates = { rol, ror, rcl, rcr } as const satisfies Record<string, Semantics>;
