/**
 * Rounding an exact result into a format, with the masked and unmasked responses to overflow, underflow and inexactness.
 * SDM Vol. 1, 4.8.4, 4.9.1.4–4.9.1.6, 8.5.4–8.5.6 (x87) and 11.5.2.4–11.5.2.6 (SSE). x86 detects tininess after rounding.
 */

import { floatException, roundingControl } from '../../spec/x86/floating-point.ts';
import { type FloatContext, type Precision, raise } from './context.ts';
import type { Wide } from './exact.ts';
import { extended, type F80, type Format, packInfinity, packZero } from './format.ts';
import { integerBit } from './unpacked.ts';
import { shiftRightSticky } from './wide-integer.ts';

/**
 * Whether the discarded part makes the magnitude grow. `rest` is what lies below the kept bits, `half` the value of the
 * highest bit there, `isOdd` the lowest kept bit.
 */
export function roundsUp(rounding: number, sign: number, isOdd: boolean, rest: bigint, half: bigint): boolean {
  if (rest === 0n) return false;
  switch (rounding) {
    case roundingControl.nearest:
      return rest > half || (rest === half && isOdd);
    case roundingControl.down:
      return sign === 1;
    case roundingControl.up:
      return sign === 0;
    default:
      return false;
  }
}

/** Constants of rounding 128 bits to the upper `precision`, the result left-aligned in 64. */
interface RoundingPlace {
  readonly drop: number;
  readonly half: bigint;
  /** The last kept place, and the mask of all kept ones, in 64 bits. */
  readonly unit: bigint;
  readonly keep: bigint;
}

function placeOf(precision: Precision): RoundingPlace {
  const unit = 1n << BigInt(64 - precision);
  const drop = 128 - precision;
  return { drop, half: 1n << BigInt(drop - 1), unit, keep: (1n << 64n) - unit };
}

const places: Readonly<Record<Precision, RoundingPlace>> = { 24: placeOf(24), 53: placeOf(53), 64: placeOf(64) };

interface RoundedSignificand {
  /** Left-aligned in 64 bits; 2^64 after a carry. */
  readonly kept: bigint;
  readonly isInexact: boolean;
  readonly isUp: boolean;
}

/** Rounds a 128-bit significand to its upper `precision` bits. */
function roundSignificand(
  significand: bigint,
  precision: Precision,
  rounding: number,
  sign: number,
): RoundedSignificand {
  const { drop, half, unit, keep } = places[precision];
  const rest = BigInt.asUintN(drop, significand);
  const kept = (significand >> 64n) & keep;
  if (rest === 0n) return { kept, isInexact: false, isUp: false };
  const isUp = roundsUp(rounding, sign, (kept & unit) !== 0n, rest, half);
  return { kept: isUp ? kept + unit : kept, isInexact: true, isUp };
}

/** What separates the x87 from the SSE response. */
interface Target {
  readonly precision: Precision;
  /**
   * The response to an unmasked overflow or underflow. `wrap`: x87 registers receive the result with its exponent wrapped.
   * `discard`: x87 memory receives nothing, and inexactness goes unreported. `report`: SSE destinations receive nothing,
   * inexactness is reported.
   */
  readonly unmasked: 'wrap' | 'discard' | 'report';
  readonly flushes: boolean;
}

const maxSignificand = 0xffff_ffff_ffff_ffffn;

function overflow<T>(context: FloatContext, format: Format<T>, target: Target, sign: number): T {
  raise(context, floatException.overflow | floatException.precision);
  const { rounding } = context;
  const toInfinity =
    rounding === roundingControl.nearest ||
    (rounding === roundingControl.up && sign === 0) ||
    (rounding === roundingControl.down && sign === 1);
  context.roundedUp = toInfinity;
  if (toInfinity) return packInfinity(format, sign);
  return format.pack(sign, format.maxExponent, places[target.precision].keep);
}

function finishTiny<T>(context: FloatContext, format: Format<T>, target: Target, sign: number, value: Wide): T {
  if (target.flushes) {
    raise(context, floatException.underflow | floatException.precision);
    return packZero(format, sign);
  }
  const significand = shiftRightSticky(value.significand, format.minExponent - value.exponent);
  const rounded = roundSignificand(significand, target.precision, context.rounding, sign);
  if (rounded.isInexact) raise(context, floatException.underflow | floatException.precision);
  context.roundedUp = rounded.isUp;
  return format.pack(sign, format.minExponent, rounded.kept);
}

/** The exponent wrapped by an unmasked overflow or underflow still does not fit (FSCALE): infinity or zero. */
function finishMassive<T>(context: FloatContext, format: Format<T>, sign: number, isOverflow: boolean): T {
  raise(context, floatException.precision);
  context.roundedUp = isOverflow;
  return isOverflow ? packInfinity(format, sign) : packZero(format, sign);
}

function deliver<T>(context: FloatContext, format: Format<T>, target: Target, sign: number, value: Wide): T {
  if (value.significand === 0n) return packZero(format, sign);
  // As if the exponent range were unbounded.
  const rounded = roundSignificand(value.significand, target.precision, context.rounding, sign);
  const hasCarried = rounded.kept > maxSignificand;
  let exponent = hasCarried ? value.exponent + 1 : value.exponent;
  const isOverflow = exponent > format.maxExponent;
  if (isOverflow || exponent < format.minExponent) {
    const exception = isOverflow ? floatException.overflow : floatException.underflow;
    if ((context.masks & exception) !== 0) {
      return isOverflow ? overflow(context, format, target, sign) : finishTiny(context, format, target, sign, value);
    }
    raise(context, exception);
    if (target.unmasked !== 'wrap') {
      if (target.unmasked === 'report' && rounded.isInexact) raise(context, floatException.precision);
      // Nothing is delivered, so any encoding will do.
      return packZero(format, sign);
    }
    exponent += isOverflow ? -format.biasAdjust : format.biasAdjust;
    if (exponent < format.minExponent || exponent > format.maxExponent) {
      return finishMassive(context, format, sign, isOverflow);
    }
  }
  if (rounded.isInexact) raise(context, floatException.precision);
  context.roundedUp = rounded.isUp;
  return format.pack(sign, exponent, hasCarried ? integerBit : rounded.kept);
}

/** Rounds an SSE result. An unmasked overflow or underflow delivers no result: the returned value is then meaningless. */
export function roundSse<T>(context: FloatContext, format: Format<T>, sign: number, value: Wide): T {
  return deliver(
    context,
    format,
    { precision: format.precision, unmasked: 'report', flushes: context.ftz },
    sign,
    value,
  );
}

const fullWidth: Target = { precision: 64, unmasked: 'wrap', flushes: false };

/**
 * Rounds an x87 result into a register. `precision` is `context.precision` for the operations FCW.PC governs (add,
 * subtract, multiply, divide, square root), otherwise 64.
 */
export function roundX87(context: FloatContext, sign: number, value: Wide, precision: Precision = 64): F80 {
  const target: Target = precision === 64 ? fullWidth : { precision, unmasked: 'wrap', flushes: false };
  return deliver(context, extended, target, sign, value);
}

/**
 * Delivers an x87 result the hardware reports as inexact although it is exact to the last bit: #P always, #U where it is
 * denormal. `value` needs no rounding.
 */
export function deliverAsInexact(context: FloatContext, sign: number, value: Wide): F80 {
  const result = roundX87(context, sign, value);
  const isTiny = value.exponent < extended.minExponent;
  raise(context, isTiny ? floatException.precision | floatException.underflow : floatException.precision);
  return result;
}

/** Rounds an x87 store to memory. An unmasked overflow or underflow stores nothing. */
export function roundStore<T>(context: FloatContext, format: Format<T>, sign: number, value: Wide): T {
  return deliver(context, format, { precision: format.precision, unmasked: 'discard', flushes: false }, sign, value);
}
