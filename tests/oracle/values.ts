/** Operand values, biased to the interesting. Everything is written little-endian into `view` at `at`. */
import type { Random } from './random.ts';

/** How an instruction looks at its data. */
export type ValueKind = 'int' | 'f32' | 'f64' | 'f80';

/** A 32-bit integer: boundaries of all widths, powers of two and neighbours, small, or random. */
export function interesting32(rng: Random): number {
  switch (rng.below(14)) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return 0xffff_ffff;
    case 3:
      return rng.pick([0x80, 0x8000, 0x8000_0000, 0xffff_ff80, 0xffff_8000]);
    case 4:
      return rng.pick([0x7f, 0x7fff, 0x7fff_ffff, 0xff, 0xffff]);
    case 5:
      return (1 << rng.below(32)) >>> 0;
    case 6:
      return ((1 << rng.below(32)) - 1) >>> 0;
    case 7:
      return ((1 << rng.below(32)) + 1) >>> 0;
    case 8:
      return rng.below(256);
    case 9:
      return (-rng.below(256) - 1) >>> 0;
    default:
      return rng.u32();
  }
}

/** A 64-bit integer: a 32-bit one zero- or sign-extended, a 64-bit boundary, or two halves. */
export function writeInt64(view: DataView, at: number, rng: Random): void {
  const low = interesting32(rng);
  let high = rng.u32();
  switch (rng.below(8)) {
    case 0:
    case 1:
      high = low & 0x8000_0000 ? 0xffff_ffff : 0;
      break;
    case 2:
      high = 0;
      break;
    case 3:
      view.setUint32(at, low & 0x8000_0000 ? 0xffff_ffff : 0, true);
      view.setUint32(at + 4, low & 1 ? 0x8000_0000 : 0x7fff_ffff, true);
      return;
    case 4: {
      const bit = 1n << BigInt(rng.below(64));
      view.setBigUint64(at, BigInt.asUintN(64, bit + BigInt(rng.below(3) - 1)), true);
      return;
    }
    case 5:
      high = interesting32(rng);
      break;
    default:
  }
  view.setUint32(at, low, true);
  view.setUint32(at + 4, high, true);
}

/** Fractions of `bits` bits: all zero, all one, one bit, around a half, random. */
function fraction(rng: Random, bits: number): bigint {
  const all = (1n << BigInt(bits)) - 1n;
  switch (rng.below(6)) {
    case 0:
      return 0n;
    case 1:
      return all;
    case 2:
      return 1n << BigInt(rng.below(bits));
    case 3:
      return (all - (1n << BigInt(rng.below(bits)))) & all;
    case 4:
      return rng.u64() & (all >> BigInt(rng.below(bits))) & all;
    default:
      return rng.u64() & all;
  }
}

/** A biased exponent: zero (denormals), the extremes, around 1, around integer limits, or anything. */
function exponent(rng: Random, bits: number): number {
  const top = 2 ** bits - 1;
  const bias = 2 ** (bits - 1) - 1;
  switch (rng.below(12)) {
    case 0:
    case 1:
      return 0;
    case 2:
      return top;
    case 3:
      return rng.pick([1, 2, top - 1, top - 2]);
    case 4:
    case 5:
      return bias + rng.between(-3, 3);
    case 6:
      return bias + rng.pick([15, 16, 30, 31, 32, 62, 63, 64]);
    case 7:
      return Math.max(0, Math.min(top, bias + rng.between(-70, 70)));
    case 8:
      return rng.between(0, 70) > 35 ? rng.between(top - 60, top) : rng.between(0, 60);
    default:
      return Math.min(top, bias + rng.between(-20, 20));
  }
}

function float(rng: Random, exponentBits: number, fractionBits: number): bigint {
  const sign = BigInt(rng.below(2));
  const packed = (sign << BigInt(exponentBits)) | BigInt(exponent(rng, exponentBits));
  return (packed << BigInt(fractionBits)) | fraction(rng, fractionBits);
}

export function writeF32(view: DataView, at: number, rng: Random): void {
  if (rng.chance(12)) view.setFloat32(at, rng.between(-1000, 1000) / rng.pick([1, 2, 4, 3, 10]), true);
  else view.setUint32(at, Number(float(rng, 8, 23)), true);
}

export function writeF64(view: DataView, at: number, rng: Random): void {
  if (rng.chance(12)) view.setFloat64(at, rng.between(-1000, 1000) / rng.pick([1, 2, 4, 3, 10]), true);
  else view.setBigUint64(at, float(rng, 11, 52), true);
}

/** 10 bytes. One in 16 has an integer bit that does not belong to its exponent (unnormal, pseudo-denormal …). */
export function writeF80(view: DataView, at: number, rng: Random): void {
  const e = exponent(rng, 15);
  const integerBit = (e !== 0) !== rng.chance(6);
  let significand = fraction(rng, 63);
  // Often no more digits than a double has, so that results are exact or lie half-way.
  if (rng.chance(30)) significand = (significand >> 40n) << 40n;
  view.setBigUint64(at, significand | (integerBit ? 1n << 63n : 0n), true);
  view.setUint16(at + 8, e | (rng.below(2) << 15), true);
}

/** Fills `length` bytes with values of one kind, each in its own width; integers by lanes of `width` bytes. */
export function writeValues(view: DataView, at: number, length: number, kind: ValueKind, rng: Random, width = 8): void {
  if (kind === 'f80' && length >= 10) {
    writeF80(view, at, rng);
    return;
  }
  const lane = kind === 'f32' ? 4 : kind === 'f64' ? 8 : Math.min(width, length);
  for (let i = 0; i < length; i += lane) {
    if (kind === 'f32' && i + 4 <= length) writeF32(view, at + i, rng);
    else if (kind === 'f64' && i + 8 <= length) writeF64(view, at + i, rng);
    else writeLane(view, at + i, Math.min(lane, length - i), rng);
  }
}

function writeLane(view: DataView, at: number, width: number, rng: Random): void {
  if (width >= 8) {
    writeInt64(view, at, rng);
    return;
  }
  const value = interesting32(rng);
  if (width >= 4) view.setUint32(at, value, true);
  else if (width >= 2) view.setUint16(at, value & 0xffff, true);
  else view.setUint8(at, value & 0xff);
}
