/** Rounding a finite value to an integer, for conversions and round-to-integral. */

import { roundsUp } from './round.ts';
import { finite, type Unpacked } from './unpacked.ts';
import { bitLength } from './wide-integer.ts';

export interface RoundedInteger {
  readonly magnitude: bigint;
  readonly isInexact: boolean;
  /** The magnitude grew. */
  readonly isUp: boolean;
}

/** Exponents from here on are integers in every format, and overflow every integer type. */
export const hugeExponent = 64;

/** |value| as an integer under `rounding`; `value` is finite with exponent < `hugeExponent`. */
export function roundToInteger(value: Unpacked, rounding: number): RoundedInteger {
  // A value below 1/4 rounds like 1/4 - ulp: keep the shift within the width.
  const drop = 63 - Math.max(value.exponent, -3);
  if (drop <= 0) return { magnitude: value.significand << BigInt(-drop), isInexact: false, isUp: false };
  const rest = BigInt.asUintN(drop, value.significand);
  const kept = value.significand >> BigInt(drop);
  const isUp = roundsUp(rounding, value.sign, (kept & 1n) !== 0n, rest, 1n << BigInt(drop - 1));
  return { magnitude: isUp ? kept + 1n : kept, isInexact: rest !== 0n, isUp };
}

/** A non-zero integer magnitude of at most 65 bits (then a power of two) as a finite value. */
export function finiteFromMagnitude(sign: number, magnitude: bigint): Unpacked {
  const length = bitLength(magnitude);
  const significand = length <= 64 ? magnitude << BigInt(64 - length) : magnitude >> BigInt(length - 64);
  return finite(sign, length - 1, significand);
}
