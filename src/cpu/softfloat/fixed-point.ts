/**
 * Elementary functions in binary fixed point, for the x87 transcendentals: integers scaled by 2^fractionBits. Every
 * function is good to well over 250 fraction bits, so that a result of relative size 2^-80 still has 170 correct bits.
 */

import { bitLength } from './wide-integer.ts';

export const fractionBits = 320;
const fraction = BigInt(fractionBits);
export const fixedOne = 1n << fraction;

export function fixedMultiply(a: bigint, b: bigint): bigint {
  return (a * b) >> fraction;
}

export function fixedDivide(a: bigint, b: bigint): bigint {
  return (a << fraction) / b;
}

/** atanh(z) for |z| <= 1/3. */
function inverseHyperbolicTangent(z: bigint): bigint {
  const square = fixedMultiply(z, z);
  let power = z;
  let sum = z;
  for (let n = 3n; power !== 0n && power !== -1n; n += 2n) {
    power = fixedMultiply(power, square);
    sum += power / n;
  }
  return sum;
}

export const fixedLn2 = 2n * inverseHyperbolicTangent(fixedOne / 3n);

/** ln(1 + w) for 1 + w in [1/√2, √2], about: converges for any 1 + w in [1/2, 2]. */
export function fixedLogOnePlus(w: bigint): bigint {
  return 2n * inverseHyperbolicTangent(fixedDivide(w, 2n * fixedOne + w));
}

/** e^x - 1 for |x| < 1. */
export function fixedExpMinusOne(x: bigint): bigint {
  let term = x;
  let sum = x;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    term = fixedMultiply(term, x) / n;
    sum += term;
  }
  return sum;
}

/** sin(x) for |x| < 1. */
export function fixedSine(x: bigint): bigint {
  const square = fixedMultiply(x, x);
  let term = x;
  let sum = x;
  for (let n = 2n; term !== 0n && term !== -1n; n += 2n) {
    term = -fixedMultiply(term, square) / (n * (n + 1n));
    sum += term;
  }
  return sum;
}

/** cos(x) for |x| < 1. */
export function fixedCosine(x: bigint): bigint {
  const square = fixedMultiply(x, x);
  let term = fixedOne;
  let sum = fixedOne;
  for (let n = 1n; term !== 0n && term !== -1n; n += 2n) {
    term = -fixedMultiply(term, square) / (n * (n + 1n));
    sum += term;
  }
  return sum;
}

/** atan(z) for 0 <= z <= 1 by Euler's series, which always converges: a bit a term. */
function slowArcTangent(z: bigint): bigint {
  const square = fixedMultiply(z, z);
  const ratio = fixedDivide(square, fixedOne + square);
  let term = fixedDivide(z, fixedOne + square);
  let sum = term;
  for (let n = 1n; term !== 0n; n++) {
    term = (fixedMultiply(term, ratio) * (2n * n)) / (2n * n + 1n);
    sum += term;
  }
  return sum;
}

const steps = 8;
const arcTangents: readonly bigint[] = Array.from({ length: steps + 1 }, (_, i) =>
  slowArcTangent((BigInt(i) * fixedOne) / BigInt(steps)),
);

/** The true pi, not that of the argument reduction. */
export const fixedPi = 4n * slowArcTangent(fixedOne);

/** atan(z) for 0 <= z <= 1. */
export function fixedArcTangent(z: bigint): bigint {
  const index = Number((z * BigInt(2 * steps) + fixedOne) / (2n * fixedOne));
  const nearest = (BigInt(index) * fixedOne) / BigInt(steps);
  // atan z = atan c + atan((z - c) / (1 + z c)); what is left is at most 1/16.
  const reduced = fixedDivide(z - nearest, fixedOne + fixedMultiply(z, nearest));
  const square = fixedMultiply(reduced, reduced);
  let power = reduced;
  let sum = reduced;
  for (let n = 3n; power !== 0n && power !== -1n; n += 2n) {
    power = -fixedMultiply(power, square);
    sum += power / n;
  }
  return (arcTangents[index] ?? 0n) + sum;
}

/** `significand` * 2^(exponent - 63) in fixed point; bits below the last place are dropped. */
export function toFixed(exponent: number, significand: bigint): bigint {
  const shift = exponent - 63 + fractionBits;
  return shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift);
}

/** Exponent of the leading bit of a positive fixed-point number. */
export function fixedExponent(value: bigint): number {
  return bitLength(value) - 1 - fractionBits;
}
