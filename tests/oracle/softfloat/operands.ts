/** Random and special operands, biased towards everything that is hard: limits, ties, NaNs, invalid encodings. */

import type { F80 } from '../../../src/cpu/softfloat/format.ts';

/** A seeded generator of uniform integers (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  below(limit: number): number {
    return this.u32() % limit;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }
}

/** A fraction of `width` bits: uniform, sparse, a run of ones, or next to a power of two. */
export function fraction(random: Random, width: number): bigint {
  const ones = (1n << BigInt(width)) - 1n;
  const run = (1n << BigInt(random.below(width + 1))) - 1n;
  switch (random.below(8)) {
    case 0:
      return 0n;
    case 1:
      return ones - BigInt(random.below(3));
    case 2:
      return BigInt(random.below(4));
    case 3:
      return (1n << BigInt(random.below(width))) | (1n << BigInt(random.below(width)));
    case 4:
      return (run << BigInt(random.below(width))) & ones;
    case 5:
      return (1n << BigInt(width - 1)) ^ run;
    default:
      return random.u64() & ones;
  }
}

/** A biased exponent of a format: anywhere, near one, near either limit, or the two special values. */
function biasedExponent(random: Random, maximum: number, spread: number): number {
  const middle = maximum >> 1;
  switch (random.below(12)) {
    case 0:
      return 0;
    case 1:
      return maximum;
    case 2:
      return 1 + random.below(spread);
    case 3:
      return maximum - 1 - random.below(spread);
    case 4:
      return random.below(maximum + 1);
    default:
      return middle - spread + random.below(2 * spread + 1);
  }
}

/** Biased exponent and fraction of a zero, infinity, one, or the numbers at the limits of a format. */
function landmark(random: Random, maximum: number, width: number): readonly [number, bigint] {
  const ones = (1n << BigInt(width)) - 1n;
  return random.pick([
    [0, 0n],
    [0, 0n],
    [0, 1n],
    [0, ones],
    [1, 0n],
    [maximum >> 1, 0n],
    [maximum >> 1, 1n],
    [maximum - 1, ones],
    [maximum, 0n],
  ] as const);
}

export function randomF32(random: Random): number {
  if (random.below(8) === 0) {
    const [biased, low] = landmark(random, 0xff, 23);
    return ((random.below(2) << 31) | (biased << 23) | Number(low)) >>> 0;
  }
  const top = (random.below(2) << 8) | biasedExponent(random, 0xff, 30);
  return ((top << 23) | Number(fraction(random, 23))) >>> 0;
}

export function randomF64(random: Random): bigint {
  if (random.below(8) === 0) {
    const [biased, low] = landmark(random, 0x7ff, 52);
    return (BigInt((random.below(2) << 11) | biased) << 52n) | low;
  }
  const top = (random.below(2) << 11) | biasedExponent(random, 0x7ff, 70);
  return (BigInt(top) << 52n) | fraction(random, 52);
}

/** One in sixteen has the integer bit wrong for its exponent: unnormal, pseudo-NaN, pseudo-denormal … */
export function randomF80(random: Random): F80 {
  if (random.below(8) === 0) {
    const [biased, low] = landmark(random, 0x7fff, 63);
    const integer = biased === 0 ? 0n : 1n << 63n;
    return { significand: integer | low, signExponent: (random.below(2) << 15) | biased };
  }
  const biased = biasedExponent(random, 0x7fff, 80);
  const isOdd = random.below(16) === 0;
  const integerBit = (biased !== 0) !== isOdd ? 1n << 63n : 0n;
  return { significand: integerBit | fraction(random, 63), signExponent: (random.below(2) << 15) | biased };
}

/** A number an operand of this one is likely to meet on a tie, in cancellation, or one unit away. */
function neighbourF80(random: Random, value: F80): F80 {
  const significand = BigInt.asUintN(64, value.significand + BigInt(random.below(5) - 2));
  const signExponent = value.signExponent ^ (random.below(2) << 15);
  const moved = (signExponent & 0x8000) | Math.min(0x7fff, Math.max(0, (signExponent & 0x7fff) + pickGap(random)));
  return { significand, signExponent: random.below(2) === 0 ? signExponent : moved };
}

function pickGap(random: Random): number {
  return random.pick([0, 1, -1, 2, 23, 24, 25, 52, 53, 54, 62, 63, 64, 65, 66, 67, -24, -53, -63, -64, -65, -66]);
}

/** A second operand for `value`: related to it one time in four. */
export function partnerF80(random: Random, value: F80): F80 {
  return random.below(4) === 0 ? neighbourF80(random, value) : randomF80(random);
}

export function partnerF32(random: Random, value: number): number {
  if (random.below(4) !== 0) return randomF32(random);
  return (value + random.below(5) - 2 + random.pick([0, 0x800000, -0x800000, 0x0c000000, 0x80000000])) >>> 0;
}

export function partnerF64(random: Random, value: bigint): bigint {
  if (random.below(4) !== 0) return randomF64(random);
  const moved = random.pick([0n, 1n << 52n, -(1n << 52n), 53n << 52n, 54n << 52n, 1n << 63n]);
  return BigInt.asUintN(64, value + BigInt(random.below(5) - 2) + moved);
}

/** An extended number whose rounding to an integer is interesting: near ties, near the limits of the integer types. */
export function integralF80(random: Random): F80 {
  const exponent = random.pick([
    random.below(66),
    random.below(66),
    14,
    15,
    16,
    30,
    31,
    32,
    62,
    63,
    64,
    -1,
    -2,
    59,
    60,
  ]);
  const halfway = exponent >= 0 && exponent < 62 ? 1n << BigInt(62 - exponent) : 0n;
  const noise = random.pick([0n, 0n, 1n, random.u64() & 0xffffn, random.u64()]);
  const kept = exponent < 63 && exponent >= 0 ? ~((1n << BigInt(63 - exponent)) - 1n) : ~0n;
  const upper = fraction(random, 63) & kept;
  const significand = BigInt.asUintN(64, (1n << 63n) | upper | (random.below(2) === 0 ? halfway : 0n) | noise);
  return { significand, signExponent: (random.below(2) << 15) | (exponent + 16383) };
}

/** A finite, normal extended number with an exponent in [low, high]. */
export function f80Between(random: Random, low: number, high: number): F80 {
  const exponent = low + random.below(high - low + 1);
  return {
    significand: (1n << 63n) | fraction(random, 63),
    signExponent: (random.below(2) << 15) | (exponent + 16383),
  };
}

/** A signed integer of `width` bits, often with few significant bits or at a limit. */
export function randomInteger(random: Random, width: number): bigint {
  const value = random.below(3) === 0 ? random.u64() : fraction(random, width);
  return BigInt.asIntN(width, value >> BigInt(random.below(2) * random.below(width)));
}
