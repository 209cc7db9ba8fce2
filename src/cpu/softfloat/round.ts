/**
 * Rounding an exact result into a format, with the masked and unmasked responses to overflow, underflow and inexactness.
 * SDM Vol. 1, 4.8.4, 4.9.1.4–4.9.1.6, 8.5.4–8.5.6 (x87) and 11.5.2.4–11.5.2.6 (SSE). x86 detects tininess after rounding.
 */

import { floatException, roundingControl } from '../../spec/x86/floating-point.ts';
import { type FloatContext, raise } from './context.ts';
import type { Wide } from './exact.ts';
import { extended, type F80, type Format, packInfinity, packZero } from './format.ts';
import { integerBit } from './unpacked.ts';
import { shiftRightSticky } from './wide-integer.ts';

/** Whether the discarded part makes the magnitude grow. `rest` is what lies below the kept bits, `drop` its width. */
export function roundsUp(rounding: number, sign: number, isOdd: boolean, rest: bigint, drop: number): boolean {
  if (rest === 0n) return false;
  switch (rounding) {
    case roundingControl.nearest: {
      const half = 1n << BigInt(drop - 1);
      return rest > half || (rest === half && isOdd);
    }
    case roundingControl.down:
      return sign === 1;
    case roundingControl.up:
      return sign === 0;
    default:
      return false;
  }
}

interface RoundedSignificand {
  /** The kept bits; may have carried into bit `precision`. */
  readonly kept: bigint;
  readonly isInexact: boolean;
  readonly isUp: boolean;
}

/** Rounds a 128-bit significand to its upper `precision` bits. */
function roundSignificand(significand: bigint, precision: number, rounding: number, sign: number): RoundedSignificand {
  const drop = 128 - precision;
  const rest = BigInt.asUintN(drop, significand);
  const kept = significand >> BigInt(drop);
  if (rest === 0n) return { kept, isInexact: false, isUp: false };
  const isUp = roundsUp(rounding, sign, (kept & 1n) !== 0n, rest, drop);
  return { kept: isUp ? kept + 1n : kept, isInexact: true, isUp };
}

/** What separates the x87 from the SSE response. */
interface Target {
  readonly precision: number;
  /**
   * The response to an unmasked overflow or underflow. `wrap`: x87 registers receive the result with its exponent wrapped.
   * `discard`: x87 memory receives nothing, and inexactness goes unreported. `report`: SSE destinations receive nothing,
   * inexactness is reported.
   */
  readonly unmasked: 'wrap' | 'discard' | 'report';
  readonly flushes: boolean;
}

function overflow<T>(context: FloatContext, format: Format<T>, target: Target, sign: number): T {
  raise(context, floatException.overflow | floatException.precision);
  const { rounding } = context;
  const toInfinity =
    rounding === roundingControl.nearest ||
    (rounding === roundingControl.up && sign === 0) ||
    (rounding === roundingControl.down && sign === 1);
  context.roundedUp = toInfinity;
  if (toInfinity) return packInfinity(format, sign);
  const largest = ((1n << BigInt(target.precision)) - 1n) << BigInt(64 - target.precision);
  return format.pack(sign, format.maxExponent, largest);
}

/** Rounds as if the exponent range were unbounded: `significand` is left-aligned in 64 bits. */
function roundUnbounded(context: FloatContext, precision: number, sign: number, value: Wide) {
  const rounded = roundSignificand(value.significand, precision, context.rounding, sign);
  const carried = rounded.kept >> BigInt(precision) !== 0n;
  return {
    exponent: carried ? value.exponent + 1 : value.exponent,
    significand: carried ? integerBit : rounded.kept << BigInt(64 - precision),
    isInexact: rounded.isInexact,
    isUp: rounded.isUp,
  };
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
  return format.pack(sign, format.minExponent, rounded.kept << BigInt(64 - target.precision));
}

/** The exponent wrapped by an unmasked overflow or underflow still does not fit (FSCALE): infinity or zero. */
function finishMassive<T>(context: FloatContext, format: Format<T>, sign: number, isOverflow: boolean): T {
  raise(context, floatException.precision);
  context.roundedUp = isOverflow;
  return isOverflow ? packInfinity(format, sign) : packZero(format, sign);
}

function deliver<T>(context: FloatContext, format: Format<T>, target: Target, sign: number, value: Wide): T {
  if (value.significand === 0n) return packZero(format, sign);
  const rounded = roundUnbounded(context, target.precision, sign, value);
  let { exponent } = rounded;
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
  return format.pack(sign, exponent, rounded.significand);
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
export function roundX87(context: FloatContext, sign: number, value: Wide, precision = 64): F80 {
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
