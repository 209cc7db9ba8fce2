/** FSCALE, FXTRACT and the constant loads. SDM Vol. 2A "FSCALE", "FXTRACT", "FLD1…"; Vol. 1, 8.3.4. */

import { floatException, roundingControl } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import { type FloatContext, raise } from './context.ts';
import { widen } from './exact.ts';
import { canonicalF80, extended, type F80, packInfinity, packZero } from './format.ts';
import { invalid, propagateX87, propagateX87Single } from './nan.ts';
import { roundX87 } from './round.ts';
import { integerBit, kind, type Unpacked } from './unpacked.ts';
import { x87LoadInteger } from './x87-convert.ts';

/** Any larger scale overflows or underflows every operand, denormals included. */
const scaleLimit = 0x1_0000;

/** `value` truncated towards zero, saturated to ±`scaleLimit`. */
function truncatedScale(value: Unpacked): number {
  if (value.kind === kind.zero || value.exponent < 0) return 0;
  const magnitude = value.exponent >= 16 ? scaleLimit : Number(value.significand >> BigInt(63 - value.exponent));
  return value.sign === 1 ? -magnitude : magnitude;
}

/** FSCALE: a * 2^trunc(b), a = ST(0), b = ST(1). FCW.PC does not apply. */
export function x87Scale(context: FloatContext, a: F80, b: F80): F80 {
  const value = extended.unpack(a);
  const scale = extended.unpack(b);
  if (value.kind >= kind.quietNaN || scale.kind >= kind.quietNaN) return propagateX87(context, value, scale);
  if (scale.kind === kind.infinity) {
    const opposed = scale.sign === 0 ? kind.zero : kind.infinity;
    if (value.kind === opposed) return invalid(context, extended);
    if (checkDenormal(context, value)) return a;
    return scale.sign === 0 ? packInfinity(extended, value.sign) : packZero(extended, value.sign);
  }
  if (checkDenormal(context, value, scale)) return a;
  // By a zero scale no rounding takes place: not even a denormal counts as an underflow.
  if (value.kind !== kind.finite || scale.kind === kind.zero) return canonicalF80(a);
  const { exponent, significand } = widen(value);
  return roundX87(context, value.sign, { exponent: exponent + truncatedScale(scale), significand });
}

export interface Extracted {
  /** Replaces ST(0). */
  readonly exponent: F80;
  /** Is pushed after it. */
  readonly significand: F80;
}

/** FXTRACT: the unbiased exponent and the significand of `a`. */
export function x87Extract(context: FloatContext, a: F80): Extracted {
  const value = extended.unpack(a);
  if (value.kind >= kind.quietNaN) {
    const result = propagateX87Single(context, value);
    return { exponent: result, significand: result };
  }
  if (value.kind === kind.infinity) return { exponent: packInfinity(extended, 0), significand: a };
  if (value.kind === kind.zero) {
    raise(context, floatException.zeroDivide);
    return { exponent: packInfinity(extended, 1), significand: a };
  }
  checkDenormal(context, value);
  return {
    exponent: x87LoadInteger(BigInt(value.exponent)),
    significand: extended.pack(value.sign, 0, value.significand),
  };
}

interface Constant {
  readonly exponent: number;
  /** Truncated to 64 bits. */
  readonly significand: bigint;
  /** Whether the exact value lies in the upper half of the last place: nearest rounds it up. */
  readonly roundsUp: boolean;
}

/** SDM Vol. 2A "FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ"; the digits are those of the numbers themselves. */
const constants = {
  log2Of10: { exponent: 1, significand: 0xd49a_784b_cd1b_8afen, roundsUp: false },
  log2OfE: { exponent: 0, significand: 0xb8aa_3b29_5c17_f0bbn, roundsUp: true },
  pi: { exponent: 1, significand: 0xc90f_daa2_2168_c234n, roundsUp: true },
  log10Of2: { exponent: -2, significand: 0x9a20_9a84_fbcf_f798n, roundsUp: true },
  lnOf2: { exponent: -1, significand: 0xb172_17f7_d1cf_79abn, roundsUp: true },
} as const satisfies Record<string, Constant>;

export type ConstantName = 'zero' | 'one' | keyof typeof constants;

/** FLDZ, FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2: rounded by `rounding` from a wider internal value; no exception. */
export function x87Constant(name: ConstantName, rounding: number): F80 {
  if (name === 'zero') return packZero(extended, 0);
  if (name === 'one') return extended.pack(0, 0, integerBit);
  const { exponent, significand, roundsUp } = constants[name];
  const isUp = rounding === roundingControl.up || (rounding === roundingControl.nearest && roundsUp);
  return extended.pack(0, exponent, isUp ? significand + 1n : significand);
}
