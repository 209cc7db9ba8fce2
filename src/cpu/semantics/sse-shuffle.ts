/**
 * Rearranging lanes: unpack, shuffle, blend, align. Immediates become vectors of indices or masks, since the interpreter
 * does not know them when it emits code; WebAssembly's engine folds them where they are constants. SDM Vol. 2.
 */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { knownNumber, operandAt } from './operands.ts';
import {
  binary,
  blend,
  extract,
  immediateOf,
  iota,
  isMmx,
  joinLow,
  lanes,
  op,
  readVector,
  replace,
  shuffle,
  splat8,
  splat16,
  splat32,
  splat64,
  swizzle,
  unary,
  type VectorOperation,
  writeVector,
  zeroVector,
} from './vector.ts';

/** Interleaves lanes of the low or high halves; the high half of an MMX operand is bytes 4–7. */
function unpack(laneBytes: number, high: boolean): Semantics {
  return binary((_o, a, b, mmx) => {
    const start = high ? (mmx ? 4 : 8) : 0;
    const chosen = Array.from({ length: 16 }, (_, n) => {
      const lane = Math.floor(n / laneBytes);
      const byte = start + Math.floor(lane / 2) * laneBytes + (n % laneBytes);
      return (byte & 15) + (lane % 2) * 16;
    });
    return shuffle(a, b, chosen);
  });
}

/** Narrows the lanes of a (first) and b with saturation. */
function pack(opcode: number): Semantics {
  return binary((o, a, b, mmx) => {
    if (!mmx) return op(opcode, a, b);
    const joined = o.let(joinLow(a, b));
    return op(opcode, joined, joined);
  });
}

/** PSHUFB: an index with its top bit set chooses a zero. */
const shuffleBytes: VectorOperation = (_o, a, b, mmx) => swizzle(a, op(v128.and, b, lanes(8, mmx ? 0x87 : 0x8f)));

/** The four 2-bit fields of an immediate as doublewords. */
function doublewordFields(o: Ops, immediate: Value): Value {
  const shifted = op(v128.i32x4Mul, splat32(immediate), lanes(32, 64, 16, 4, 1));
  return op(v128.and, op(v128.i32x4ShrU, shifted, o.i32(6)), lanes(32, 3));
}

const sixteen = (byte: (n: number) => number): number[] => Array.from({ length: 16 }, (_, n) => byte(n));

/** Field `n` of an immediate, as a number of 0 to 3. */
const field = (immediate: number, n: number): number => (immediate >> (n * 2)) & 3;

/** The same as the functions below say, for an immediate that is known: the engine finds an instruction for it. */
const knownDoublewords = (immediate: number): number[] => sixteen((n) => field(immediate, n >> 2) * 4 + (n & 3));

function knownWords(immediate: number, high: boolean): number[] {
  const base = high ? 8 : 0;
  return sixteen((n) => ((n & 8) === base ? base + field(immediate, (n & 7) >> 1) * 2 + (n & 1) : n));
}

/** Byte indices of the doublewords that the fields of an immediate choose. */
function doublewordIndices(o: Ops, immediate: Value): Value {
  return op(
    v128.i32x4Add,
    op(v128.i32x4Mul, doublewordFields(o, immediate), lanes(32, 0x0404_0404)),
    lanes(32, 0x0302_0100),
  );
}

/** Byte indices of the words of one half that the fields of an immediate choose, in that half; the other half stays. */
function wordIndices(o: Ops, immediate: Value, high: boolean): Value {
  const own = [64, 16, 4, 1];
  const none = [0, 0, 0, 0];
  const shifted = op(v128.i16x8Mul, splat16(immediate), lanes(16, ...(high ? [...none, ...own] : [...own, ...none])));
  const fields = op(v128.and, op(v128.i16x8ShrU, shifted, o.i32(6)), lanes(16, 3));
  const scaled = op(v128.i16x8Mul, fields, lanes(16, 0x0202));
  const base = high
    ? [0x0100, 0x0302, 0x0504, 0x0706, 0x0908, 0x0908, 0x0908, 0x0908]
    : [0x0100, 0x0100, 0x0100, 0x0100, 0x0908, 0x0b0a, 0x0d0c, 0x0f0e];
  return op(v128.i16x8Add, scaled, lanes(16, ...base));
}

function shuffleBy(
  indices: (o: Ops, immediate: Value) => Value,
  knownIndices: (immediate: number) => number[],
): Semantics {
  return (o, x) => {
    const source = readVector(o, operandAt(x, 1));
    const immediate = immediateOf(o, x);
    const known = knownNumber(immediate);
    const shuffled =
      known === undefined ? swizzle(source, indices(o, immediate)) : shuffle(source, source, knownIndices(known));
    writeVector(o, operandAt(x, 0), o.let(shuffled));
  };
}

/** Semantics of destination, source and immediate. */
function withImmediate(operation: (o: Ops, a: Value, b: Value, immediate: Value, mmx: boolean) => Value): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, destination);
    writeVector(o, destination, o.let(operation(o, a, b, immediateOf(o, x), isMmx(destination))));
  };
}

/** SHUFPS: two lanes chosen from a, two from b. */
function shuffleSingles(o: Ops, a: Value, b: Value, immediate: Value): Value {
  const known = knownNumber(immediate);
  if (known !== undefined)
    return shuffle(
      a,
      b,
      knownDoublewords(known).map((byte, n) => (n < 8 ? byte : byte + 16)),
    );
  const indices = o.let(doublewordIndices(o, immediate));
  return shuffle(swizzle(a, indices), swizzle(b, indices), [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
}

function shuffleDoubles(o: Ops, a: Value, b: Value, immediate: Value): Value {
  const known = knownNumber(immediate);
  if (known !== undefined)
    return shuffle(
      a,
      b,
      sixteen((n) => (n < 8 ? (known & 1) * 8 + n : 8 + (known & 2) * 4 + n)),
    );
  const half = (vector: Value, bit: number): Value =>
    o.select(
      o.and(immediate, bit),
      extract(v128.i64x2ExtractLane, vector, 1),
      extract(v128.i64x2ExtractLane, vector, 0),
    );
  return replace(v128.i64x2ReplaceLane, splat64(half(a, 1)), 1, half(b, 2));
}

/** PALIGNR: bytes from position `immediate` on of b followed by a, then zeros. */
function align(o: Ops, a: Value, b: Value, immediate: Value, mmx: boolean): Value {
  const limit = mmx ? 16 : 32;
  const known = knownNumber(immediate);
  if (known !== undefined && !mmx) {
    if (known <= 16)
      return shuffle(
        b,
        a,
        sixteen((n) => known + n),
      );
    return shuffle(
      a,
      zeroVector,
      sixteen((n) => Math.min(known - 16 + n, 31)),
    );
  }
  const count = o.let(o.select(o.gtU(immediate, limit), o.i32(limit), immediate));
  if (mmx) return swizzle(joinLow(b, a), op(v128.i8x16Add, iota, splat8(count)));
  const fromB = op(v128.i8x16Add, iota, splat8(count));
  const fromA = op(v128.i8x16Add, iota, splat8(o.sub(count, 16)));
  return op(v128.or, swizzle(b, fromB), swizzle(a, fromA));
}

/** A mask of ones in the lanes whose bit of the immediate is set. */
function laneMask(equal: number, splatted: Value, bits: Value): Value {
  return op(equal, op(v128.and, splatted, bits), bits);
}

const wordBits = lanes(16, 1, 2, 4, 8, 16, 32, 64, 128);
const singleBits = lanes(32, 1, 2, 4, 8);
const doubleBits = lanes(64, 1, 2);

/** Blends under XMM0: lanes of b where the mask's lane has its top bit set. */
function blendVariable(shiftRight: number, bits: number): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const mask = op(shiftRight, readVector(o, operandAt(x, 2)), o.i32(bits - 1));
    o.write(destination, o.let(blend(mask, b, readVector(o, destination))));
  };
}

/** Zero or sign extension of the low lanes, in one step or more. */
const extend = (...opcodes: number[]): Semantics =>
  unary((_o, a) => opcodes.reduce((value, opcode) => op(opcode, value), a));

export const sseShuffle = {
  punpcklbw: unpack(1, false),
  punpcklwd: unpack(2, false),
  punpckldq: unpack(4, false),
  punpcklqdq: unpack(8, false),
  punpckhbw: unpack(1, true),
  punpckhwd: unpack(2, true),
  punpckhdq: unpack(4, true),
  punpckhqdq: unpack(8, true),
  packsswb: pack(v128.i8x16NarrowI16x8S),
  packuswb: pack(v128.i8x16NarrowI16x8U),
  packssdw: pack(v128.i16x8NarrowI32x4S),
  packusdw: pack(v128.i16x8NarrowI32x4U),
  pshufb: binary(shuffleBytes),
  pshufd: shuffleBy(doublewordIndices, knownDoublewords),
  pshuflw: shuffleBy(
    (o, immediate) => wordIndices(o, immediate, false),
    (immediate) => knownWords(immediate, false),
  ),
  pshufhw: shuffleBy(
    (o, immediate) => wordIndices(o, immediate, true),
    (immediate) => knownWords(immediate, true),
  ),
  pshufw: shuffleBy(
    (o, immediate) => wordIndices(o, immediate, false),
    (immediate) => knownWords(immediate, false),
  ),
  shufps: withImmediate(shuffleSingles),
  shufpd: withImmediate(shuffleDoubles),
  palignr: withImmediate(align),
  pblendw: withImmediate((_o, a, b, i) => blend(laneMask(v128.i16x8Eq, splat16(i), wordBits), b, a)),
  blendps: withImmediate((_o, a, b, i) => blend(laneMask(v128.i32x4Eq, splat32(i), singleBits), b, a)),
  blendpd: withImmediate((o, a, b, i) => blend(laneMask(v128.i64x2Eq, splat64(o.extendU(i)), doubleBits), b, a)),
  pblendvb: blendVariable(v128.i8x16ShrS, 8),
  blendvps: blendVariable(v128.i32x4ShrS, 32),
  blendvpd: blendVariable(v128.i64x2ShrS, 64),
  pmovsxbw: extend(v128.i16x8ExtendLowI8x16S),
  pmovsxbd: extend(v128.i16x8ExtendLowI8x16S, v128.i32x4ExtendLowI16x8S),
  pmovsxbq: extend(v128.i16x8ExtendLowI8x16S, v128.i32x4ExtendLowI16x8S, v128.i64x2ExtendLowI32x4S),
  pmovsxwd: extend(v128.i32x4ExtendLowI16x8S),
  pmovsxwq: extend(v128.i32x4ExtendLowI16x8S, v128.i64x2ExtendLowI32x4S),
  pmovsxdq: extend(v128.i64x2ExtendLowI32x4S),
  pmovzxbw: extend(v128.i16x8ExtendLowI8x16U),
  pmovzxbd: extend(v128.i16x8ExtendLowI8x16U, v128.i32x4ExtendLowI16x8U),
  pmovzxbq: extend(v128.i16x8ExtendLowI8x16U, v128.i32x4ExtendLowI16x8U, v128.i64x2ExtendLowI32x4U),
  pmovzxwd: extend(v128.i32x4ExtendLowI16x8U),
  pmovzxwq: extend(v128.i32x4ExtendLowI16x8U, v128.i64x2ExtendLowI32x4U),
  pmovzxdq: extend(v128.i64x2ExtendLowI32x4U),
} as const satisfies Record<string, Semantics>;
