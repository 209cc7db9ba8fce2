/** DIV and IDIV. #DE on a zero divisor and on a quotient that does not fit; no flag changes. SDM Vol. 2. */
import { vector } from '../../spec/x86/exceptions.ts';
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import { type Ops, rax, rdx, type Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

const raiseIf = (o: Ops, condition: Value): void => o.ifUnlikely(condition, () => o.raise(vector.de));

/** Writes quotient and remainder: AL and AH, or rAX and rDX. */
function writeQuotient(o: Ops, bits: Bits, quotient: Value, remainder: Value): void {
  if (bits === 8) {
    const low = o.zeroExtend(quotient, 8);
    o.setGpr(rax, 16, o.or(o.shl(remainder, 8), low));
  } else {
    o.setGpr(rax, bits, quotient);
    o.setGpr(rdx, bits, remainder);
  }
}

/** The dividend of up to 64 bits (AX, DX:AX, EDX:EAX): i64, zero-extended, bound. */
function narrowDividend(o: Ops, bits: 8 | 16 | 32): Value {
  if (bits === 8) return o.let(o.extendU(o.gpr(rax, 16)));
  return o.let(o.or(o.shl(o.extendU(o.gpr(rdx, bits)), bits), o.extendU(o.gpr(rax, bits))));
}

function div(o: Ops, x: Form): void {
  const operand = operandAt(x, 0);
  const bits = bitsOf(operand);
  const divisor = o.read(operand);
  if (bits === 64) {
    divide64(o, divisor);
    return;
  }
  raiseIf(o, o.isZero(divisor));
  const dividend = narrowDividend(o, bits);
  const wide = o.let(o.extendU(divisor));
  const quotient = o.let(o.divU(dividend, wide));
  raiseIf(o, o.ne(o.shrU(quotient, bits), 0));
  const remainder = o.sub(dividend, o.mul(quotient, wide));
  writeQuotient(o, bits, o.wrap(quotient), o.let(o.wrap(remainder)));
}

function idiv(o: Ops, x: Form): void {
  const operand = operandAt(x, 0);
  const bits = bitsOf(operand);
  const divisor = o.read(operand);
  if (bits === 64) {
    divideSigned64(o, divisor);
    return;
  }
  raiseIf(o, o.isZero(divisor));
  const dividendBits = bits * 2;
  const dividend = o.let(o.signExtend(narrowDividend(o, bits), dividendBits));
  const wide = o.let(o.extendS(o.signExtend(divisor, bits)));
  if (bits === 32) raiseIf(o, o.and(o.eq(dividend, 1n << 63n), o.eq(wide, -1)));
  const quotient = o.let(o.divS(dividend, wide));
  raiseIf(o, o.ne(o.signExtend(quotient, bits), quotient));
  const remainder = o.sub(dividend, o.mul(quotient, wide));
  const cut = (value: Value): Value => o.let(o.zeroExtend(o.wrap(value), bits));
  writeQuotient(o, bits, cut(quotient), cut(remainder));
}

/** DIV of RDX:RAX by a bound i64. */
function divide64(o: Ops, divisor: Value): void {
  const high = o.gpr(rdx, 64);
  const low = o.gpr(rax, 64);
  raiseIf(o, o.geU(high, divisor));
  o.if(
    o.isZero(high),
    () => {
      const quotient = o.let(o.divU(low, divisor));
      writeQuotient(o, 64, quotient, o.let(o.sub(low, o.mul(quotient, divisor))));
    },
    () => {
      const { quotient, remainder } = divideWide(o, high, low, divisor);
      writeQuotient(o, 64, quotient, remainder);
    },
  );
}

/** IDIV of RDX:RAX by a bound i64: mostly RDX is but the sign of RAX. */
function divideSigned64(o: Ops, divisor: Value): void {
  const high = o.gpr(rdx, 64);
  const low = o.gpr(rax, 64);
  raiseIf(o, o.isZero(divisor));
  const overflow = o.and(o.eq(low, 1n << 63n), o.eq(divisor, -1));
  o.if(
    o.eq(high, o.shrS(low, 63)),
    () => {
      raiseIf(o, overflow);
      const quotient = o.let(o.divS(low, divisor));
      writeQuotient(o, 64, quotient, o.let(o.sub(low, o.mul(quotient, divisor))));
    },
    () => divideMagnitudes(o, high, low, divisor),
  );
}

/** Signed division by way of magnitudes; the quotient is rounded to zero, the remainder has the dividend's sign. */
function divideMagnitudes(o: Ops, high: Value, low: Value, divisor: Value): void {
  const dividendSign = o.let(o.shrS(high, 63));
  const divisorSign = o.let(o.shrS(divisor, 63));
  const sign = o.let(o.xor(dividendSign, divisorSign));
  const apply = (value: Value, by: Value): Value => o.sub(o.xor(value, by), by);
  const lowMagnitude = o.let(apply(low, dividendSign));
  const carry = o.and(o.extendU(o.isZero(lowMagnitude)), dividendSign);
  const highMagnitude = o.let(o.add(o.xor(high, dividendSign), carry));
  const divisorMagnitude = o.let(apply(divisor, divisorSign));
  raiseIf(o, o.geU(highMagnitude, divisorMagnitude));
  const { quotient, remainder } = divideWide(o, highMagnitude, lowMagnitude, divisorMagnitude);
  // A magnitude up to 2^63 - 1 fits, and 2^63 where the quotient is negative.
  const limit = o.sub(o.i64((1n << 63n) - 1n), sign);
  raiseIf(o, o.gtU(quotient, limit));
  writeQuotient(o, 64, o.let(apply(quotient, sign)), o.let(apply(remainder, dividendSign)));
}

/**
 * Unsigned 128 / 64-bit division in two digits of 32 bits (Knuth, The Art of Computer Programming, vol. 2, 4.3.1,
 * algorithm D). All bound i64; `high` < `divisor`, so that the quotient fits.
 */
function divideWide(o: Ops, high: Value, low: Value, divisor: Value): { quotient: Value; remainder: Value } {
  const shift = o.let(o.clz(divisor));
  const normal = o.let(o.shl(divisor, shift));
  const spill = o.shrU(o.shrU(low, 1), o.sub(o.i64(63), shift));
  const top = o.let(o.or(o.shl(high, shift), spill));
  const bottom = o.let(o.shl(low, shift));
  const digit1 = o.let(o.shrU(bottom, 32));
  const digit0 = o.let(o.and(bottom, 0xffff_ffffn));
  const q1 = quotientDigit(o, top, digit1, normal);
  const middle = o.let(o.sub(o.or(o.shl(top, 32), digit1), o.mul(q1, normal)));
  const q0 = quotientDigit(o, middle, digit0, normal);
  const rest = o.sub(o.or(o.shl(middle, 32), digit0), o.mul(q0, normal));
  return { quotient: o.let(o.or(o.shl(q1, 32), q0)), remainder: o.let(o.shrU(rest, shift)) };
}

/**
 * One 32-bit digit of the quotient (`partial` × 2^32 + `next`) / `divisor`: an estimate, corrected at most twice.
 * `partial` < `divisor` bounds the estimate by 2^32 + 1, so that the product below cannot overflow.
 */
function quotientDigit(o: Ops, partial: Value, next: Value, divisor: Value): Value {
  const divisorHigh = o.let(o.shrU(divisor, 32));
  const divisorLow = o.let(o.and(divisor, 0xffff_ffffn));
  const digit = o.variable('i64', o.divU(partial, divisorHigh));
  const rest = o.variable('i64', o.sub(partial, o.mul(o.get(digit), divisorHigh)));
  o.block((done) => {
    o.loop((again) => {
      const tooLarge = o.gtU(o.mul(o.get(digit), divisorLow), o.or(o.shl(o.get(rest), 32), next));
      o.branchIf(o.isZero(tooLarge), done);
      o.set(digit, o.sub(o.get(digit), 1));
      o.set(rest, o.add(o.get(rest), divisorHigh));
      o.branchIf(o.isZero(o.shrU(o.get(rest), 32)), again);
    });
  });
  return o.get(digit);
}

export const division = { div, idiv } as const satisfies Record<string, Semantics>;
