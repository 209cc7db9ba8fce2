/**
 * x87 FADD, FSUB, FMUL, FDIV, FSQRT (governed by FCW.PC), comparison and FXAM. SDM Vol. 1, 8.3 and 8.5.
 *
 * Operands are unpacked by the caller, each from its own format: `extended.unpack` for a register, `binary32.unpack` or
 * `binary64.unpack` for m32/m64, `unpackInteger` for m16int/m32int. So an m32 denormal or SNaN operand of FADD m32 raises
 * what the hardware raises, although it is exact in the extended format.
 */

import { floatException, x87Condition } from '../../spec/x86/floating-point.ts';
import {
  addOperands,
  type BinaryOperation,
  checkDenormal,
  divideOperands,
  multiplyOperands,
  type Outcome,
  squareRootOperand,
  subtractOperands,
} from './arithmetic.ts';
import { type FloatContext, raise } from './context.ts';
import { extended, type F80, packIndefinite, packInfinity, packZero } from './format.ts';
import { propagateX87, propagateX87Single } from './nan.ts';
import { compareOperands, type Relation } from './relation.ts';
import { roundX87 } from './round.ts';
import { kind, type Unpacked } from './unpacked.ts';

function finish(context: FloatContext, outcome: Outcome): F80 {
  switch (outcome.kind) {
    case 'value':
      return roundX87(context, outcome.sign, outcome.value, context.precision);
    case 'infinity':
      return packInfinity(extended, outcome.sign);
    case 'invalid':
      return packIndefinite(extended);
    case 'aborted':
      return packZero(extended, 0);
  }
}

function binary(context: FloatContext, a: Unpacked, b: Unpacked, operation: BinaryOperation): F80 {
  if (a.kind >= kind.quietNaN || b.kind >= kind.quietNaN) return propagateX87(context, a, b);
  return finish(context, operation(context, a, b));
}

/** FADD, FADDP, FIADD. */
export function x87Add(context: FloatContext, a: Unpacked, b: Unpacked): F80 {
  return binary(context, a, b, addOperands);
}

/** a - b: FSUB, FSUBR and their forms. */
export function x87Subtract(context: FloatContext, a: Unpacked, b: Unpacked): F80 {
  return binary(context, a, b, subtractOperands);
}

/** FMUL, FMULP, FIMUL. */
export function x87Multiply(context: FloatContext, a: Unpacked, b: Unpacked): F80 {
  return binary(context, a, b, multiplyOperands);
}

/** a / b: FDIV, FDIVR and their forms. */
export function x87Divide(context: FloatContext, a: Unpacked, b: Unpacked): F80 {
  return binary(context, a, b, divideOperands);
}

/** FSQRT. */
export function x87SquareRoot(context: FloatContext, a: Unpacked): F80 {
  if (a.kind >= kind.quietNaN) return propagateX87Single(context, a);
  return finish(context, squareRootOperand(context, a));
}

/**
 * FCOM, FICOM, FCOMI, FTST (b = 0), and with `isQuiet` FUCOM, FUCOMI, which let QNaNs pass. Unsupported encodings are
 * always #IA.
 */
export function x87Compare(context: FloatContext, a: Unpacked, b: Unpacked, isQuiet: boolean): Relation {
  if (a.kind >= kind.quietNaN || b.kind >= kind.quietNaN) {
    if (!isQuiet || a.kind > kind.quietNaN || b.kind > kind.quietNaN) raise(context, floatException.invalid);
  } else {
    checkDenormal(context, a, b);
  }
  return compareOperands(a, b);
}

const { c0, c1, c2, c3 } = x87Condition;

/** Condition codes of FXAM in their FSW positions, C1 the sign. An empty register is the caller's. SDM Vol. 2A "FXAM". */
export function x87Examine(bits: F80): number {
  const sign = bits.signExponent >= 0x8000 ? c1 : 0;
  const value = extended.unpack(bits);
  switch (value.kind) {
    case kind.zero:
      return sign | c3;
    case kind.finite:
      return sign | c2 | (value.denormal ? c3 : 0);
    case kind.infinity:
      return sign | c2 | c0;
    case kind.unsupported:
      return sign;
    default:
      return sign | c0;
  }
}

const signBit = 0x8000;

/** FABS: clears the sign whatever the encoding; raises nothing. */
export function x87Absolute(bits: F80): F80 {
  return { significand: bits.significand, signExponent: bits.signExponent & ~signBit };
}

/** FCHS: complements the sign whatever the encoding; raises nothing. */
export function x87ChangeSign(bits: F80): F80 {
  return { significand: bits.significand, signExponent: bits.signExponent ^ signBit };
}
