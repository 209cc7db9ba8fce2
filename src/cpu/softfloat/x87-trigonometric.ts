/**
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN, correctly rounded from more than 180 bits. As in hardware, arguments are reduced by a
 * pi of 66 bits, so that the sine of a number near a multiple of pi is that of this pi. FCW.PC does not apply.
 * SDM Vol. 1, 8.3.7–8.3.8, 8.3.10; Vol. 2A per instruction.
 */

import { floatException, x87Pi66 } from '../../spec/x86/floating-point.ts';
import { checkDenormal } from './arithmetic.ts';
import { type FloatContext, raise } from './context.ts';
import { divideMagnitudes, isMagnitudeLess, wideFromInteger, widen } from './exact.ts';
import { fixedArcTangent, fixedCosine, fixedDivide, fixedPi, fixedSine, fractionBits, toFixed } from './fixed-point.ts';
import { extended, type F80, packZero } from './format.ts';
import { invalid, propagateX87, propagateX87Single } from './nan.ts';
import { deliverAsInexact, roundX87 } from './round.ts';
import { integerBit, kind, type Unpacked } from './unpacked.ts';

/** Arguments from 2^63 on are refused: C2 is set and the operand stays. */
const rangeExponent = 63;

/**
 * Below 2^this Intel's parts return the argument as its sine and tangent and 1 as its cosine, whatever the rounding mode,
 * marked inexact but not rounded up.
 */
const identityExponent = -68;

/** Where |y| / |x| is below 2^this Intel's parts return the rounded quotient, marked inexact, as FPATAN of x > 0. */
const quotientExponent = -40;

const one = extended.pack(0, 0, integerBit);

/** A function of one angle. `isOutOfRange` is C2: nothing happened. */
export interface AngleResult {
  readonly value: F80;
  readonly isOutOfRange: boolean;
}

/** FSINCOS replaces ST(0) by the sine and pushes the cosine. */
export interface SineCosine {
  readonly sine: F80;
  readonly cosine: F80;
  readonly isOutOfRange: boolean;
}

interface Reduced {
  /** Multiples of pi/2 taken away, modulo 4. */
  readonly quadrant: number;
  /** In fixed point, |remainder| <= pi/4. */
  readonly remainder: bigint;
}

/** |value| modulo pi/2, rounded to the nearest multiple. Exponents from `identityExponent` to 62. */
function reduceAngle(value: Unpacked): Reduced {
  if (value.exponent < -1) return { quadrant: 0, remainder: toFixed(value.exponent, value.significand) };
  // One unit is 2^-67, so that pi/2 is the significand of pi itself.
  const unitBits = x87Pi66.fractionBits + 1;
  const halfPi = x87Pi66.significand;
  const angle = value.significand << BigInt(value.exponent - 63 + unitBits);
  const quotient = (2n * angle + halfPi) / (2n * halfPi);
  const remainder = (angle - quotient * halfPi) << BigInt(fractionBits - unitBits);
  return { quadrant: Number(quotient & 3n), remainder };
}

/** A signed irrational number in fixed point, with `sign` applied on top. */
function roundFixed(context: FloatContext, sign: number, value: bigint): F80 {
  const wide = wideFromInteger(value < 0n ? -value : value, -fractionBits);
  const inexact = { exponent: wide.exponent, significand: wide.significand | 1n };
  return roundX87(context, value < 0n ? sign ^ 1 : sign, inexact);
}

function sineOf(context: FloatContext, value: Unpacked): F80 {
  if (value.exponent < identityExponent) return deliverAsInexact(context, value.sign, widen(value));
  const { quadrant, remainder } = reduceAngle(value);
  const magnitude = (quadrant & 1) === 0 ? fixedSine(remainder) : fixedCosine(remainder);
  return roundFixed(context, value.sign ^ (quadrant >> 1), magnitude);
}

function cosineOf(context: FloatContext, value: Unpacked): F80 {
  if (value.exponent < identityExponent) {
    raise(context, floatException.precision);
    context.roundedUp = false;
    return one;
  }
  const { quadrant, remainder } = reduceAngle(value);
  const magnitude = (quadrant & 1) === 0 ? fixedCosine(remainder) : fixedSine(remainder);
  return roundFixed(context, quadrant === 1 || quadrant === 2 ? 1 : 0, magnitude);
}

function tangentOf(context: FloatContext, value: Unpacked): F80 {
  if (value.exponent < identityExponent) return deliverAsInexact(context, value.sign, widen(value));
  const { quadrant, remainder } = reduceAngle(value);
  const sine = fixedSine(remainder);
  const cosine = fixedCosine(remainder);
  const tangent = (quadrant & 1) === 0 ? fixedDivide(sine, cosine) : -fixedDivide(cosine, sine);
  return roundFixed(context, value.sign, tangent);
}

function isOutOfRange(value: Unpacked): boolean {
  return value.kind === kind.finite && value.exponent >= rangeExponent;
}

/** The common frame of FSIN, FCOS and FPTAN; `atZero` is the result for a zero of the given sign. */
function ofAngle(
  context: FloatContext,
  a: F80,
  atZero: (sign: number) => F80,
  compute: (context: FloatContext, value: Unpacked) => F80,
): AngleResult {
  const value = extended.unpack(a);
  if (isOutOfRange(value)) return { value: a, isOutOfRange: true };
  const inRange = (result: F80): AngleResult => ({ value: result, isOutOfRange: false });
  if (value.kind >= kind.quietNaN) return inRange(propagateX87Single(context, value));
  if (value.kind === kind.infinity) return inRange(invalid(context, extended));
  if (value.kind === kind.zero) return inRange(atZero(value.sign));
  return inRange(checkDenormal(context, value) ? a : compute(context, value));
}

const zeroOf = (sign: number): F80 => packZero(extended, sign);
const oneOf = (): F80 => one;

/** FSIN. */
export function x87Sine(context: FloatContext, a: F80): AngleResult {
  return ofAngle(context, a, zeroOf, sineOf);
}

/** FCOS. */
export function x87Cosine(context: FloatContext, a: F80): AngleResult {
  return ofAngle(context, a, oneOf, cosineOf);
}

/** FPTAN; the caller pushes 1.0 after it when the argument was in range (a NaN: the NaN again). */
export function x87Tangent(context: FloatContext, a: F80): AngleResult {
  return ofAngle(context, a, zeroOf, tangentOf);
}

/** FSINCOS. */
export function x87SineCosine(context: FloatContext, a: F80): SineCosine {
  const sine = x87Sine(context, a);
  const cosine = x87Cosine(context, a);
  return { sine: sine.value, cosine: cosine.value, isOutOfRange: sine.isOutOfRange };
}

/** Result of FPATAN at a multiple of pi/4. */
function quarters(context: FloatContext, sign: number, count: bigint): F80 {
  return roundFixed(context, sign, (fixedPi * count) / 4n);
}

/** FPATAN: the angle of the point (x, y), y = ST(1), x = ST(0), in (-pi, pi]; with the true pi. SDM table 3-30. */
export function x87ArcTangent(context: FloatContext, xBits: F80, yBits: F80): F80 {
  const x = extended.unpack(xBits);
  const y = extended.unpack(yBits);
  if (x.kind >= kind.quietNaN || y.kind >= kind.quietNaN) return propagateX87(context, x, y);
  if (checkDenormal(context, x, y)) return yBits;
  if (y.kind === kind.infinity) {
    const count = x.kind !== kind.infinity ? 2n : x.sign === 0 ? 1n : 3n;
    return quarters(context, y.sign, count);
  }
  if (x.kind === kind.infinity || y.kind === kind.zero) {
    return x.sign === 0 ? packZero(extended, y.sign) : quarters(context, y.sign, 4n);
  }
  if (x.kind === kind.zero) return quarters(context, y.sign, 2n);
  return arcTangentOf(context, x, y);
}

/** The quotient |a| / |b| <= 1 in fixed point. */
function fixedQuotient(a: Unpacked, b: Unpacked): bigint {
  const shift = fractionBits + a.exponent - b.exponent;
  return shift < 0 ? 0n : (a.significand << BigInt(shift)) / b.significand;
}

function arcTangentOf(context: FloatContext, x: Unpacked, y: Unpacked): F80 {
  const halfPi = fixedPi >> 1n;
  if (isMagnitudeLess(x, y)) {
    const complement = fixedArcTangent(fixedQuotient(x, y));
    return roundFixed(context, y.sign, x.sign === 0 ? halfPi - complement : halfPi + complement);
  }
  if (x.sign === 1) return roundFixed(context, y.sign, fixedPi - fixedArcTangent(fixedQuotient(y, x)));
  if (y.exponent - x.exponent >= quotientExponent) {
    return roundFixed(context, y.sign, fixedArcTangent(fixedQuotient(y, x)));
  }
  const quotient = divideMagnitudes(y, x);
  const isExact = BigInt.asUintN(64, quotient.significand) === 0n;
  return isExact ? deliverAsInexact(context, y.sign, quotient) : roundX87(context, y.sign, quotient);
}
