/** FPREM and FPREM1: exact remainders, possibly in several steps. SDM Vol. 2A "FPREM", "FPREM1". */

import { x87Condition } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import type { FloatContext } from './context.ts';
import { wideFromInteger, widen } from './exact.ts';
import { canonicalF80, extended, type F80, packZero } from './format.ts';
import { invalid, propagateX87 } from './nan.ts';
import { roundX87 } from './round.ts';
import { kind, type Unpacked } from './unpacked.ts';

export interface Remainder {
  readonly value: F80;
  /** C0, C1, C2, C3 in their FSW positions: C2 = reduction incomplete, else the quotient's low bits in C0, C3, C1. */
  readonly conditions: number;
}

/** Quotient bits 2, 1, 0 in C0, C3, C1. */
function quotientConditions(quotient: bigint): number {
  const low = Number(quotient & 7n);
  const { c0, c1, c3 } = x87Condition;
  return ((low & 4) !== 0 ? c0 : 0) | ((low & 2) !== 0 ? c3 : 0) | ((low & 1) !== 0 ? c1 : 0);
}

/** Exponent differences from here on take more than one FPREM. */
const completeLimit = 64;

function partial(context: FloatContext, a: Unpacked, b: Unpacked, difference: number): Remainder {
  // The SDM leaves the step to the implementation, 32 to 63; Intel's parts choose it so that the difference left over is a
  // multiple of 32.
  const step = (difference & 31) | 32;
  const remainder = (a.significand << BigInt(step)) % b.significand;
  const wide = wideFromInteger(remainder, b.exponent - 63 + (difference - step));
  return { value: roundX87(context, a.sign, wide), conditions: x87Condition.c2 };
}

/** The finite case, with quotient rounded to nearest-even (FPREM1) or truncated (FPREM). */
function reduce(context: FloatContext, a: Unpacked, b: Unpacked, isNearest: boolean): Remainder {
  const difference = a.exponent - b.exponent;
  if (difference >= completeLimit) return partial(context, a, b, difference);
  if (difference < -1) return { value: roundX87(context, a.sign, widen(a)), conditions: 0 };
  // Both at the scale of the lower exponent.
  const scale = Math.min(a.exponent, b.exponent) - 63;
  const dividend = a.significand << BigInt(a.exponent - 63 - scale);
  const divisor = b.significand << BigInt(b.exponent - 63 - scale);
  let quotient = dividend / divisor;
  let remainder = dividend - quotient * divisor;
  let { sign } = a;
  const twice = remainder << 1n;
  if (isNearest && (twice > divisor || (twice === divisor && (quotient & 1n) !== 0n))) {
    quotient += 1n;
    remainder = divisor - remainder;
    sign ^= 1;
  }
  return {
    value: roundX87(context, sign, wideFromInteger(remainder, scale)),
    conditions: quotientConditions(quotient),
  };
}

/** ST(0) = `a` reduced by ST(1) = `b`; FPREM1 with `isNearest`. FCW.PC does not apply. */
export function x87Remainder(context: FloatContext, a: F80, b: F80, isNearest: boolean): Remainder {
  const dividend = extended.unpack(a);
  const divisor = extended.unpack(b);
  if (dividend.kind >= kind.quietNaN || divisor.kind >= kind.quietNaN) {
    return { value: propagateX87(context, dividend, divisor), conditions: 0 };
  }
  if (dividend.kind === kind.infinity || divisor.kind === kind.zero) {
    return { value: invalid(context, extended), conditions: 0 };
  }
  if (checkDenormal(context, dividend, divisor)) return { value: a, conditions: 0 };
  if (dividend.kind === kind.zero) return { value: packZero(extended, dividend.sign), conditions: 0 };
  // No rounding takes place: not even a denormal counts as an underflow.
  if (divisor.kind === kind.infinity) return { value: canonicalF80(a), conditions: 0 };
  return reduce(context, dividend, divisor, isNearest);
}
