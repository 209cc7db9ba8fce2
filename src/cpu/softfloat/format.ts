/** The three formats: limits, unpacking, packing. SDM Vol. 1, 4.2.2, 4.8 and 8.2.2. */

import type { Precision } from './context.ts';
import { finite, indefiniteSignificand, infinity, integerBit, kind, nan, type Unpacked, zero } from './unpacked.ts';
import { bitLength } from './wide-integer.ts';

/** An x87 register or m80: `significand` is the low 64 bits, `signExponent` the high 16. */
export interface F80 {
  readonly significand: bigint;
  readonly signExponent: number;
}

/**
 * A format whose encodings are values of `T`: binary32 a u32 number, binary64 a u64 BigInt, extended an `F80`.
 */
export interface Format<T> {
  /** Significand width in bits, leading bit included. */
  readonly precision: Precision;
  /** Exponents of the smallest and largest normal numbers. */
  readonly minExponent: number;
  readonly maxExponent: number;
  /** IEEE 754 wrap of the exponent when overflow or underflow is unmasked. SDM Vol. 1, 4.9.1.4. */
  readonly biasAdjust: number;
  unpack(bits: T): Unpacked;
  /**
   * `significand` is left-aligned in 64 bits, already rounded. With bit 63 clear, `exponent` is `minExponent` and the value is
   * zero or denormal. `exponent` = `maxExponent` + 1 encodes infinity (significand 2^63) and NaN.
   */
  pack(sign: number, exponent: number, significand: bigint): T;
}

export const binary32: Format<number> = {
  precision: 24,
  minExponent: -126,
  maxExponent: 127,
  biasAdjust: 192,
  unpack(bits: number): Unpacked {
    const sign = bits >>> 31;
    const biased = (bits >>> 23) & 0xff;
    const fraction = bits & 0x7f_ffff;
    if (biased === 0) {
      if (fraction === 0) return zero(sign);
      const shift = Math.clz32(fraction);
      return finite(sign, -118 - shift, BigInt((fraction << shift) >>> 0) << 32n, true);
    }
    if (biased === 0xff) return fraction === 0 ? infinity(sign) : nan(sign, BigInt(fraction) << 40n);
    return finite(sign, biased - 127, BigInt(fraction | 0x80_0000) << 40n);
  },
  pack(sign: number, exponent: number, significand: bigint): number {
    const top = Number(significand >> 40n);
    const biased = top >= 0x80_0000 ? exponent + 127 : 0;
    return ((sign << 31) | (biased << 23) | (top & 0x7f_ffff)) >>> 0;
  },
};

const fractionMask64 = (1n << 52n) - 1n;

export const binary64: Format<bigint> = {
  precision: 53,
  minExponent: -1022,
  maxExponent: 1023,
  biasAdjust: 1536,
  unpack(bits: bigint): Unpacked {
    const top = Number(bits >> 52n);
    const sign = top >>> 11;
    const biased = top & 0x7ff;
    const fraction = bits & fractionMask64;
    if (biased === 0) {
      if (fraction === 0n) return zero(sign);
      const length = bitLength(fraction);
      return finite(sign, length - 1075, fraction << BigInt(64 - length), true);
    }
    if (biased === 0x7ff) return fraction === 0n ? infinity(sign) : nan(sign, fraction << 11n);
    return finite(sign, biased - 1023, (fraction << 11n) | integerBit);
  },
  pack(sign: number, exponent: number, significand: bigint): bigint {
    const biased = significand >= integerBit ? exponent + 1023 : 0;
    return (BigInt((sign << 11) | biased) << 52n) | ((significand >> 11n) & fractionMask64);
  },
};

const unsupported: Unpacked = { kind: kind.unsupported, sign: 0, exponent: 0, significand: 0n, denormal: false };

export const extended: Format<F80> = {
  precision: 64,
  minExponent: -16382,
  maxExponent: 16383,
  biasAdjust: 24576,
  unpack(bits: F80): Unpacked {
    const { significand, signExponent } = bits;
    const sign = signExponent >>> 15;
    const biased = signExponent & 0x7fff;
    if (biased === 0) {
      if (significand === 0n) return zero(sign);
      const length = bitLength(significand);
      return finite(sign, length - 64 - 16382, significand << BigInt(64 - length), true);
    }
    // Unnormals, pseudo-NaNs and pseudo-infinities: SDM Vol. 1 table 8-3.
    if (significand < integerBit) return unsupported;
    if (biased === 0x7fff) return significand === integerBit ? infinity(sign) : nan(sign, significand);
    return finite(sign, biased - 16383, significand);
  },
  pack(sign: number, exponent: number, significand: bigint): F80 {
    const biased = significand >= integerBit ? exponent + 16383 : 0;
    return { significand, signExponent: (sign << 15) | biased };
  },
};

export function packZero<T>(format: Format<T>, sign: number): T {
  return format.pack(sign, format.minExponent, 0n);
}

export function packInfinity<T>(format: Format<T>, sign: number): T {
  return format.pack(sign, format.maxExponent + 1, integerBit);
}

/** A NaN in x87 form; bits that do not fit are dropped. The caller has set the quiet bit. */
export function packNaN<T>(format: Format<T>, sign: number, significand: bigint): T {
  return format.pack(sign, format.maxExponent + 1, significand);
}

/** The QNaN floating-point indefinite. */
export function packIndefinite<T>(format: Format<T>): T {
  return format.pack(1, format.maxExponent + 1, indefiniteSignificand);
}

/** A pseudo-denormal re-encoded as the normal number it equals; everything else as it is. */
export function canonicalF80(bits: F80): F80 {
  const { significand, signExponent } = bits;
  const isPseudoDenormal = (signExponent & 0x7fff) === 0 && significand >= integerBit;
  return isPseudoDenormal ? { significand, signExponent: signExponent | 1 } : bits;
}
