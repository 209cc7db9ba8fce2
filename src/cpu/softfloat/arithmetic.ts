/** Add, subtract, multiply, divide and square root, for every format: special operands here, magnitudes in `exact.ts`. */

import { floatException, roundingControl } from '../../spec/x86/floating-point.ts';
import { type FloatContext, raise } from './context.ts';
import {
  addMagnitudes,
  divideMagnitudes,
  isMagnitudeLess,
  multiplyMagnitudes,
  squareRoot,
  subtractMagnitudes,
  type Wide,
  widen,
} from './exact.ts';
import { kind, type Unpacked } from './unpacked.ts';

/** A result before rounding. */
export type Outcome =
  | { readonly kind: 'value'; readonly sign: number; readonly value: Wide }
  | { readonly kind: 'infinity'; readonly sign: number }
  /** #IA was raised: the QNaN indefinite. */
  | { readonly kind: 'invalid' }
  /** An unmasked #D or #Z stopped the operation. */
  | { readonly kind: 'aborted' };

export type BinaryOperation = (context: FloatContext, a: Unpacked, b: Unpacked) => Outcome;

const aborted: Outcome = { kind: 'aborted' };
const zeroValue: Wide = { exponent: 0, significand: 0n };

function value(sign: number, wide: Wide): Outcome {
  return { kind: 'value', sign, value: wide };
}

function invalidOutcome(context: FloatContext): Outcome {
  raise(context, floatException.invalid);
  return { kind: 'invalid' };
}

/** Raises #D where an operand is denormal. @returns whether the operation must stop. */
export function checkDenormal(context: FloatContext, a: Unpacked, b: Unpacked = a): boolean {
  return (a.denormal || b.denormal) && raise(context, floatException.denormal);
}

/** The sign of an exact zero sum of operands with opposite signs. */
function zeroSign(context: FloatContext): number {
  return context.rounding === roundingControl.down ? 1 : 0;
}

function addSigned(context: FloatContext, a: Unpacked, b: Unpacked, bSign: number): Outcome {
  if (a.kind === kind.infinity && b.kind === kind.infinity) {
    return a.sign === bSign ? { kind: 'infinity', sign: a.sign } : invalidOutcome(context);
  }
  if (checkDenormal(context, a, b)) return aborted;
  if (a.kind === kind.infinity) return { kind: 'infinity', sign: a.sign };
  if (b.kind === kind.infinity) return { kind: 'infinity', sign: bSign };
  if (a.kind === kind.zero && b.kind === kind.zero) {
    return value(a.sign === bSign ? a.sign : zeroSign(context), zeroValue);
  }
  if (a.kind === kind.zero) return value(bSign, widen(b));
  if (b.kind === kind.zero) return value(a.sign, widen(a));
  if (a.sign === bSign) return value(a.sign, addMagnitudes(a, b));
  if (isMagnitudeLess(a, b)) return value(bSign, subtractMagnitudes(b, a));
  const difference = subtractMagnitudes(a, b);
  return value(difference.significand === 0n ? zeroSign(context) : a.sign, difference);
}

/** a + b of two operands that are not NaNs. */
export function addOperands(context: FloatContext, a: Unpacked, b: Unpacked): Outcome {
  return addSigned(context, a, b, b.sign);
}

/** a - b of two operands that are not NaNs. */
export function subtractOperands(context: FloatContext, a: Unpacked, b: Unpacked): Outcome {
  return addSigned(context, a, b, b.sign ^ 1);
}

/** a * b of two operands that are not NaNs. */
export function multiplyOperands(context: FloatContext, a: Unpacked, b: Unpacked): Outcome {
  const sign = a.sign ^ b.sign;
  if (a.kind === kind.infinity || b.kind === kind.infinity) {
    if (a.kind === kind.zero || b.kind === kind.zero) return invalidOutcome(context);
    return checkDenormal(context, a, b) ? aborted : { kind: 'infinity', sign };
  }
  if (checkDenormal(context, a, b)) return aborted;
  if (a.kind === kind.zero || b.kind === kind.zero) return value(sign, zeroValue);
  return value(sign, multiplyMagnitudes(a, b));
}

/** a / b of two operands that are not NaNs. */
export function divideOperands(context: FloatContext, a: Unpacked, b: Unpacked): Outcome {
  const sign = a.sign ^ b.sign;
  if (a.kind === b.kind && a.kind !== kind.finite) return invalidOutcome(context);
  if (b.kind === kind.zero && a.kind === kind.finite) {
    // #Z, and not #D as well for a denormal dividend: observed on Intel parts, SSE and x87 alike.
    return raise(context, floatException.zeroDivide) ? aborted : { kind: 'infinity', sign };
  }
  if (checkDenormal(context, a, b)) return aborted;
  if (a.kind === kind.infinity) return { kind: 'infinity', sign };
  if (b.kind === kind.infinity || a.kind === kind.zero) return value(sign, zeroValue);
  return value(sign, divideMagnitudes(a, b));
}

/** The square root of an operand that is not a NaN. */
export function squareRootOperand(context: FloatContext, a: Unpacked): Outcome {
  if (a.kind === kind.zero) return value(a.sign, zeroValue);
  if (a.sign === 1) return invalidOutcome(context);
  if (checkDenormal(context, a)) return aborted;
  if (a.kind === kind.infinity) return { kind: 'infinity', sign: 0 };
  return value(0, squareRoot(a));
}
