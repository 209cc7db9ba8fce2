/** The common form every format is unpacked into: sign, unbiased exponent and a left-aligned 64-bit significand. */

import { bitLength } from './wide-integer.ts';

/** Kinds from `quietNaN` up never take part in arithmetic. */
export const kind = { zero: 0, finite: 1, infinity: 2, quietNaN: 3, signalingNaN: 4, unsupported: 5 } as const;
type Kind = (typeof kind)[keyof typeof kind];

export interface Unpacked {
  readonly kind: Kind;
  /** 0 or 1. */
  readonly sign: number;
  /** Exponent of the leading significand bit; meaningful for `finite` alone. */
  readonly exponent: number;
  /**
   * finite: value = significand * 2^(exponent - 63), bit 63 set. NaN: the x87 form, bit 63 set, bit 62 the quiet bit.
   * Otherwise 0.
   */
  readonly significand: bigint;
  /** The encoding was a denormal (or x87 pseudo-denormal). */
  readonly denormal: boolean;
}

export const integerBit = 1n << 63n;
export const quietBit = 1n << 62n;
/** Significand of the QNaN floating-point indefinite; its sign is 1. SDM Vol. 1 table 4-3. */
export const indefiniteSignificand = integerBit | quietBit;

export function zero(sign: number): Unpacked {
  return { kind: kind.zero, sign, exponent: 0, significand: 0n, denormal: false };
}

export function infinity(sign: number): Unpacked {
  return { kind: kind.infinity, sign, exponent: 0, significand: 0n, denormal: false };
}

export function finite(sign: number, exponent: number, significand: bigint, denormal = false): Unpacked {
  return { kind: kind.finite, sign, exponent, significand, denormal };
}

/** `significand` in x87 form (bit 62 tells quiet from signaling). */
export function nan(sign: number, significand: bigint): Unpacked {
  const nanKind = (significand & quietBit) !== 0n ? kind.quietNaN : kind.signalingNaN;
  return { kind: nanKind, sign, exponent: 0, significand: significand | integerBit, denormal: false };
}

/** An integer of at most 64 bits' magnitude, exactly. */
export function unpackInteger(value: bigint): Unpacked {
  if (value === 0n) return zero(0);
  const magnitude = value < 0n ? -value : value;
  const length = bitLength(magnitude);
  return finite(value < 0n ? 1 : 0, length - 1, magnitude << BigInt(64 - length));
}

export function isNaNKind(value: Unpacked): boolean {
  return value.kind === kind.quietNaN || value.kind === kind.signalingNaN;
}
