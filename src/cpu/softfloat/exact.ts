/**
 * Exact arithmetic on finite non-zero magnitudes. Results are 128 bits wide, normalized (bit 127 set) with the lowest bit
 * sticky: enough for any later rounding to at most 64 bits. Signs are the caller's.
 */

import type { Unpacked } from './unpacked.ts';
import { bitLength, integerSqrt, shiftRightSticky } from './wide-integer.ts';

/** value = significand * 2^(exponent - 127); significand 0 means zero. */
export interface Wide {
  readonly exponent: number;
  readonly significand: bigint;
}

const bit127 = 1n << 127n;

/** Widens a 64-bit significand. */
export function widen(value: Unpacked): Wide {
  return { exponent: value.exponent, significand: value.significand << 64n };
}

/** `integer` * 2^`scale`, normalized, as a `Wide`. */
export function wideFromInteger(integer: bigint, scale: number): Wide {
  if (integer === 0n) return { exponent: 0, significand: 0n };
  const length = bitLength(integer);
  const significand = length <= 128 ? integer << BigInt(128 - length) : shiftRightSticky(integer, length - 128);
  return { exponent: scale + length - 1, significand };
}

/** |a| + |b|. */
export function addMagnitudes(a: Unpacked, b: Unpacked): Wide {
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const sum = (high.significand << 63n) + shiftRightSticky(low.significand << 63n, high.exponent - low.exponent);
  if (sum >= bit127) return { exponent: high.exponent + 1, significand: sum };
  return { exponent: high.exponent, significand: sum << 1n };
}

/** Whether |a| < |b|. */
export function isMagnitudeLess(a: Unpacked, b: Unpacked): boolean {
  return a.exponent < b.exponent || (a.exponent === b.exponent && a.significand < b.significand);
}

/** |a| - |b|, where |a| >= |b|. */
export function subtractMagnitudes(a: Unpacked, b: Unpacked): Wide {
  const difference = (a.significand << 63n) - shiftRightSticky(b.significand << 63n, a.exponent - b.exponent);
  return wideFromInteger(difference, a.exponent - 126);
}

/** |a| * |b|. */
export function multiplyMagnitudes(a: Unpacked, b: Unpacked): Wide {
  const product = a.significand * b.significand;
  if (product >= bit127) return { exponent: a.exponent + b.exponent + 1, significand: product };
  return { exponent: a.exponent + b.exponent, significand: product << 1n };
}

/** |a| / |b|. */
export function divideMagnitudes(a: Unpacked, b: Unpacked): Wide {
  const dividend = a.significand << 127n;
  const quotient = dividend / b.significand;
  const sticky = quotient * b.significand === dividend ? quotient : quotient | 1n;
  if (quotient >= bit127) return { exponent: a.exponent - b.exponent, significand: sticky };
  return { exponent: a.exponent - b.exponent - 1, significand: sticky << 1n };
}

/** Square root of |a|. */
export function squareRoot(a: Unpacked): Wide {
  const isOdd = (a.exponent & 1) !== 0;
  // The root of a 136-bit (135-bit) radicand has exactly 68 bits: 64, a rounding bit and room for the sticky one.
  const radicand = a.significand << (isOdd ? 72n : 71n);
  const root = integerSqrt(radicand);
  const sticky = root * root === radicand ? root : (root << 1n) | 1n;
  const shift = sticky === root ? 60n : 59n;
  return { exponent: (a.exponent - (isOdd ? 1 : 0)) / 2, significand: sticky << shift };
}
