/**
 * F2XM1, FYL2X, FYL2XP1, correctly rounded from more than 180 bits (hardware is within one unit in the last place).
 * FCW.PC does not apply. SDM Vol. 1, 8.3.9–8.3.10; Vol. 2A per instruction.
 */

import { floatException } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import { type FloatContext, raise } from './context.ts';
import { isMagnitudeLess, type Wide, wideFromInteger } from './exact.ts';
import {
  fixedDivide,
  fixedExpMinusOne,
  fixedExponent,
  fixedLn2,
  fixedLogOnePlus,
  fixedMultiply,
  fixedOne,
  fractionBits,
  toFixed,
} from './fixed-point.ts';
import { extended, type F80, packInfinity, packZero } from './format.ts';
import { invalid, propagateX87, propagateX87Single } from './nan.ts';
import { deliverAsInexact, roundX87 } from './round.ts';
import { finite, integerBit, kind, type Unpacked } from './unpacked.ts';

/** Below 2^this, 2^x - 1 = x ln 2 and log2(1 + x) = x / ln 2 to more bits than anything keeps. */
const linearExponent = -130;

const fixedLog2OfE = fixedDivide(fixedOne, fixedLn2);
const one = finite(0, 0, integerBit);

/** The magnitude of an irrational number known in fixed point, scaled by 2^scale. */
function irrational(magnitude: bigint, scale: number): Wide {
  const wide = wideFromInteger(magnitude, scale - fractionBits);
  return { exponent: wide.exponent, significand: wide.significand | 1n };
}

/** F2XM1: 2^a - 1. Defined for -1 <= a <= 1; anything beyond is returned unchanged. */
export function x87ExpMinusOne(context: FloatContext, a: F80): F80 {
  const value = extended.unpack(a);
  if (value.kind >= kind.quietNaN) return propagateX87Single(context, value);
  if (value.kind === kind.zero) return a;
  if (value.kind === kind.infinity) return value.sign === 0 ? a : extended.pack(1, 0, integerBit);
  if (checkDenormal(context, value)) return a;
  const { sign, exponent, significand } = value;
  if (exponent >= 0) {
    // Exact at ±1, yet Intel's parts report inexactness there too.
    raise(context, floatException.precision);
    const isMinusOne = sign === 1 && exponent === 0 && significand === integerBit;
    return isMinusOne ? extended.pack(1, -1, integerBit) : a;
  }
  if (exponent < linearExponent) return roundX87(context, sign, irrational(significand * fixedLn2, exponent - 63));
  const x = toFixed(exponent, significand);
  const result = fixedExpMinusOne(fixedMultiply(sign === 0 ? x : -x, fixedLn2));
  return roundX87(context, sign, irrational(result < 0n ? -result : result, 0));
}

/** log2 of mantissa * 2^exponent, in fixed point; 1 <= mantissa < 2. */
function fixedLog2(exponent: number, mantissa: bigint): bigint {
  // Centre on 1 so that the fraction's logarithm never cancels against the exponent.
  const isHigh = fixedMultiply(mantissa, mantissa) > 2n * fixedOne;
  const centred = isHigh ? mantissa >> 1n : mantissa;
  const integer = BigInt(isHigh ? exponent + 1 : exponent) * fixedOne;
  return integer + fixedMultiply(fixedLogOnePlus(centred - fixedOne), fixedLog2OfE);
}

/** y * logarithm, both non-zero. */
function scaledLogarithm(context: FloatContext, y: Unpacked, logarithm: bigint): F80 {
  const magnitude = logarithm < 0n ? -logarithm : logarithm;
  const sign = y.sign ^ (logarithm < 0n ? 1 : 0);
  return roundX87(context, sign, irrational(y.significand * magnitude, y.exponent - 63));
}

/** y * `integer`, the logarithm of a power of two: Intel's parts report inexactness even where the product is exact. */
function timesInteger(context: FloatContext, y: Unpacked, integer: number): F80 {
  const sign = y.sign ^ (integer < 0 ? 1 : 0);
  const product = wideFromInteger(y.significand * BigInt(Math.abs(integer)), y.exponent - 63);
  const isExact = product.exponent < extended.minExponent || BigInt.asUintN(64, product.significand) === 0n;
  return isExact ? deliverAsInexact(context, sign, product) : roundX87(context, sign, product);
}

/** y * log2(mantissa * 2^exponent); neither factor is zero. */
function timesLog2(context: FloatContext, y: Unpacked, exponent: number, mantissa: bigint): F80 {
  if (mantissa === fixedOne) return timesInteger(context, y, exponent);
  return scaledLogarithm(context, y, fixedLog2(exponent, mantissa));
}

/** FYL2X: ST(1) * log2 ST(0), y = ST(1), x = ST(0). */
export function x87YLog2X(context: FloatContext, xBits: F80, yBits: F80): F80 {
  const x = extended.unpack(xBits);
  const y = extended.unpack(yBits);
  if (x.kind >= kind.quietNaN || y.kind >= kind.quietNaN) return propagateX87(context, x, y);
  if (x.kind === kind.zero) {
    if (y.kind === kind.zero) return invalid(context, extended);
    if (y.kind === kind.finite) raise(context, floatException.zeroDivide);
    return packInfinity(extended, y.sign ^ 1);
  }
  if (x.sign === 1) return invalid(context, extended);
  if (x.kind === kind.infinity) {
    if (y.kind === kind.zero) return invalid(context, extended);
    return checkDenormal(context, y) ? yBits : packInfinity(extended, y.sign);
  }
  const isOne = x.exponent === 0 && x.significand === integerBit;
  if (y.kind === kind.infinity && isOne) return invalid(context, extended);
  if (checkDenormal(context, x, y)) return yBits;
  const isBelowOne = isMagnitudeLess(x, one);
  const sign = y.sign ^ (isBelowOne ? 1 : 0);
  if (y.kind === kind.infinity) return packInfinity(extended, sign);
  if (y.kind === kind.zero || isOne) return packZero(extended, sign);
  return timesLog2(context, y, x.exponent, toFixed(0, x.significand));
}

/**
 * FYL2XP1: ST(1) * log2(ST(0) + 1), y = ST(1), x = ST(0). Defined for |x| < 1 - √2/2; as in Intel's parts the formula holds
 * for every larger x too, and finite x <= -1 are returned as they are.
 */
export function x87YLog2XPlusOne(context: FloatContext, xBits: F80, yBits: F80): F80 {
  const x = extended.unpack(xBits);
  const y = extended.unpack(yBits);
  if (x.kind >= kind.quietNaN || y.kind >= kind.quietNaN) return propagateX87(context, x, y);
  const sign = x.sign ^ y.sign;
  if (x.kind === kind.infinity) {
    if (x.sign === 1 || y.kind === kind.zero) return invalid(context, extended);
    return checkDenormal(context, y) ? yBits : packInfinity(extended, sign);
  }
  if (y.kind === kind.infinity && x.kind === kind.zero) return invalid(context, extended);
  if (checkDenormal(context, x, y)) return yBits;
  if (y.kind === kind.infinity) return packInfinity(extended, sign);
  if (x.kind === kind.zero || y.kind === kind.zero) return packZero(extended, sign);
  if (x.sign === 1 && x.exponent >= 0) {
    raise(context, floatException.precision);
    return xBits;
  }
  return logarithmOfSum(context, x, y);
}

/** y * log2(1 + x) for finite x > -1, neither zero. */
function logarithmOfSum(context: FloatContext, x: Unpacked, y: Unpacked): F80 {
  if (x.exponent < linearExponent) {
    const product = irrational(x.significand * y.significand * fixedLog2OfE, x.exponent + y.exponent - 126);
    return roundX87(context, x.sign ^ y.sign, product);
  }
  // Here the 1 is lost below everything that is kept.
  if (x.exponent > fractionBits) return timesLog2(context, y, x.exponent, toFixed(0, x.significand));
  const magnitude = toFixed(x.exponent, x.significand);
  const w = x.sign === 0 ? magnitude : -magnitude;
  if (x.exponent < -1) return scaledLogarithm(context, y, fixedMultiply(fixedLogOnePlus(w), fixedLog2OfE));
  const sum = fixedOne + w;
  const exponent = fixedExponent(sum);
  return timesLog2(context, y, exponent, exponent >= 0 ? sum >> BigInt(exponent) : sum << BigInt(-exponent));
}
