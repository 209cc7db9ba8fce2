/** SSE conversions and ROUNDSS/ROUNDSD. SDM Vol. 1, 4.8.4, 11.4.1.6 and 12.8.4; tables E-1…E-18. */

import { floatException, roundImmediate } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import { type FloatContext, type Rounding, raise } from './context.ts';
import { widen } from './exact.ts';
import { type Format, packInfinity, packZero } from './format.ts';
import { finiteFromMagnitude, hugeExponent, roundToInteger } from './integral.ts';
import { propagateSse } from './nan.ts';
import { roundSse } from './round.ts';
import { unpackSse } from './sse.ts';
import { isNaNKind, kind, unpackInteger } from './unpacked.ts';

/** CVTSS2SD and CVTSD2SS (and their packed forms). */
export function sseConvert<F, T>(context: FloatContext, from: Format<F>, to: Format<T>, bits: F): T {
  const value = unpackSse(context, from, bits);
  if (isNaNKind(value)) return propagateSse(context, to, value, value);
  if (checkDenormal(context, value)) return packZero(to, 0);
  if (value.kind === kind.infinity) return packInfinity(to, value.sign);
  if (value.kind === kind.zero) return packZero(to, value.sign);
  return roundSse(context, to, value.sign, widen(value));
}

/** CVTSI2SS/CVTSI2SD and the packed and MMX forms; `value` is a signed integer of at most 64 bits. */
export function sseFromInteger<T>(context: FloatContext, format: Format<T>, value: bigint): T {
  const operand = unpackInteger(value);
  return roundSse(context, format, operand.sign, widen(operand));
}

/**
 * CVTxx2SI, CVTTxx2SI (`rounding` 3) and the packed and MMX forms.
 * @param width 32 or 64.
 * @returns the signed integer; NaN, infinity and overflow give the integer indefinite, -2^(width-1), with #IA.
 */
export function sseToInteger<T>(
  context: FloatContext,
  format: Format<T>,
  bits: T,
  width: number,
  rounding: Rounding = context.rounding,
): bigint {
  const value = unpackSse(context, format, bits);
  if (value.kind === kind.zero) return 0n;
  const limit = 1n << BigInt(width - 1);
  if (value.kind === kind.finite && value.exponent < hugeExponent) {
    const { magnitude, isInexact } = roundToInteger(value, rounding);
    if (magnitude < limit + BigInt(value.sign)) {
      if (isInexact) raise(context, floatException.precision);
      return value.sign === 1 ? -magnitude : magnitude;
    }
  }
  raise(context, floatException.invalid);
  return -limit;
}

/** ROUNDSS/ROUNDSD and the packed forms, under their immediate. */
export function sseRoundToIntegral<T>(context: FloatContext, format: Format<T>, bits: T, immediate: number): T {
  const value = unpackSse(context, format, bits);
  if (isNaNKind(value)) return propagateSse(context, format, value, value);
  if (value.kind === kind.zero) return packZero(format, value.sign);
  if (value.kind === kind.infinity || value.exponent >= format.precision) return bits;
  const rounding = (immediate & roundImmediate.useMxcsr) !== 0 ? context.rounding : immediate & roundImmediate.rcMask;
  const { magnitude, isInexact } = roundToInteger(value, rounding);
  if (isInexact && (immediate & roundImmediate.suppressPrecision) === 0) raise(context, floatException.precision);
  if (magnitude === 0n) return packZero(format, value.sign);
  const rounded = finiteFromMagnitude(value.sign, magnitude);
  return format.pack(rounded.sign, rounded.exponent, rounded.significand);
}
