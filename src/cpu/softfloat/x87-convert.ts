/** x87 loads and stores: FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FRNDINT. SDM Vol. 1, 8.3.2, 8.5.1.2 and 8.1.2. */

import { floatException } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import { type FloatContext, type Rounding, raise } from './context.ts';
import { widen } from './exact.ts';
import { extended, type F80, type Format, packIndefinite, packInfinity, packZero } from './format.ts';
import { finiteFromMagnitude, hugeExponent, roundToInteger } from './integral.ts';
import { propagateX87Single, quieted } from './nan.ts';
import { roundStore } from './round.ts';
import { kind, type Unpacked, unpackInteger } from './unpacked.ts';

/** FLD m32/m64. (FLD m80 and FLD ST(i) copy bits and raise nothing.) */
export function x87Load<T>(context: FloatContext, format: Format<T>, bits: T): F80 {
  const value = format.unpack(bits);
  if (value.kind >= kind.quietNaN) return propagateX87Single(context, value);
  if (checkDenormal(context, value)) return packZero(extended, 0);
  return packExact(value);
}

/** FILD m16/m32/m64: always exact. */
export function x87LoadInteger(value: bigint): F80 {
  return packExact(unpackInteger(value));
}

/** A number that is exact and normal in the extended format. */
function packExact(value: Unpacked): F80 {
  if (value.kind === kind.infinity) return packInfinity(extended, value.sign);
  if (value.kind === kind.zero) return packZero(extended, value.sign);
  return extended.pack(value.sign, value.exponent, value.significand);
}

/** FST/FSTP m32/m64. Nothing may be stored where `suppressesStore(context)` holds afterwards. */
export function x87Store<T>(context: FloatContext, format: Format<T>, bits: F80): T {
  const value = extended.unpack(bits);
  switch (value.kind) {
    case kind.zero:
      return packZero(format, value.sign);
    case kind.infinity:
      return packInfinity(format, value.sign);
    case kind.finite:
      return roundStore(context, format, value.sign, widen(value));
    case kind.unsupported:
      raise(context, floatException.invalid);
      return packIndefinite(format);
    case kind.signalingNaN:
      raise(context, floatException.invalid);
      return quieted(format, value);
    case kind.quietNaN:
      return quieted(format, value);
  }
}

/** The integer `value` rounds to, or undefined (#IA raised) where it has none in [-limit - slack, limit). */
function integerWithin(context: FloatContext, value: Unpacked, rounding: Rounding, limit: bigint, slack: bigint) {
  if (value.kind === kind.zero) return 0n;
  if (value.kind === kind.finite && value.exponent < hugeExponent) {
    const { magnitude, isInexact, isUp } = roundToInteger(value, rounding);
    if (magnitude < limit + (value.sign === 1 ? slack : 0n)) {
      if (isInexact) raise(context, floatException.precision);
      context.roundedUp = isUp;
      return value.sign === 1 ? -magnitude : magnitude;
    }
  }
  raise(context, floatException.invalid);
  return undefined;
}

/**
 * FIST/FISTP, and FISTTP with `rounding` 3.
 * @param width 16, 32 or 64.
 * @returns the signed integer; NaN, infinity, unsupported and overflow give the integer indefinite, -2^(width-1).
 */
export function x87StoreInteger(
  context: FloatContext,
  bits: F80,
  width: number,
  rounding: Rounding = context.rounding,
): bigint {
  const limit = 1n << BigInt(width - 1);
  return integerWithin(context, extended.unpack(bits), rounding, limit, 1n) ?? -limit;
}

const bcdDigits = 18;
const bcdLimit = 10n ** 18n;
/** Packed BCD integer indefinite. SDM Vol. 1 table 4-4. */
const bcdIndefinite = 0xffff_c000_0000_0000_0000n;

/** FBLD: 80 bits of packed BCD, low digit first, sign in bit 79. Digits above 9 count as their value. */
export function x87LoadBcd(bits: bigint): F80 {
  let magnitude = 0n;
  for (let digit = bcdDigits - 1; digit >= 0; digit--) {
    magnitude = magnitude * 10n + ((bits >> BigInt(4 * digit)) & 0xfn);
  }
  const sign = Number((bits >> 79n) & 1n);
  if (magnitude === 0n) return packZero(extended, sign);
  const value = finiteFromMagnitude(sign, magnitude);
  return extended.pack(sign, value.exponent, value.significand);
}

/** FBSTP: 80 bits of packed BCD. */
export function x87StoreBcd(context: FloatContext, bits: F80): bigint {
  const value = extended.unpack(bits);
  const integer = integerWithin(context, value, context.rounding, bcdLimit, 0n);
  if (integer === undefined) return bcdIndefinite;
  let rest = integer < 0n ? -integer : integer;
  let packed = BigInt(value.sign) << 79n;
  for (let digit = 0; rest !== 0n; digit++) {
    packed |= (rest % 10n) << BigInt(4 * digit);
    rest /= 10n;
  }
  return packed;
}

/** FRNDINT. */
export function x87RoundToInteger(context: FloatContext, bits: F80): F80 {
  const value = extended.unpack(bits);
  if (value.kind >= kind.quietNaN) return propagateX87Single(context, value);
  if (value.kind !== kind.finite || value.exponent >= 63) return bits;
  if (checkDenormal(context, value)) return bits;
  const { magnitude, isInexact, isUp } = roundToInteger(value, context.rounding);
  if (isInexact) raise(context, floatException.precision);
  context.roundedUp = isUp;
  if (magnitude === 0n) return packZero(extended, value.sign);
  return packExact(finiteFromMagnitude(value.sign, magnitude));
}
