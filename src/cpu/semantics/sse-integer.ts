/** Lane-wise integer arithmetic, comparison and logic of MMX and SSE. SDM Vol. 2. */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import { pd, ps } from './sse-exact.ts';
import {
  andNot,
  binary,
  direct,
  extract,
  lanes,
  op,
  replace,
  shuffle,
  unary,
  type VectorOperation,
  zeroVector,
} from './vector.ts';

/** High words of the products of words. */
function highProducts(lowOpcode: number, highOpcode: number): Semantics {
  const highWords = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
  return binary((_o, a, b) => shuffle(op(lowOpcode, a, b), op(highOpcode, a, b), highWords));
}

/** 64-bit products of the even doublewords. */
function evenProducts(opcode: number): Semantics {
  const even = (a: Value): Value => shuffle(a, a, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
  return binary((_o, a, b) => op(opcode, even(a), even(b)));
}

/** Bits 16:1 of the products plus a rounding bit; WebAssembly saturates the one product that overflows, x86 wraps. */
const roundedProducts: VectorOperation = (_o, a, b) => {
  const least = lanes(16, 0x8000);
  const overflows = op(v128.and, op(v128.i16x8Eq, a, least), op(v128.i16x8Eq, b, least));
  return op(v128.xor, op(v128.i16x8Q15mulrSatS, a, b), overflows);
};

/** PMADDUBSW: unsigned bytes of a times signed bytes of b; neighbours added with saturation. */
const multiplyAddBytes: VectorOperation = (o, a, b) => {
  const eight = o.i32(8);
  const even = op(
    v128.i16x8Mul,
    op(v128.and, a, lanes(16, 0xff)),
    op(v128.i16x8ShrS, op(v128.i16x8Shl, b, eight), eight),
  );
  const odd = op(v128.i16x8Mul, op(v128.i16x8ShrU, a, eight), op(v128.i16x8ShrS, b, eight));
  return op(v128.i16x8AddSatS, even, odd);
};

/** |a - b| of unsigned bytes. `a` and `b` are bound. */
export const byteDistances = (a: Value, b: Value): Value =>
  op(v128.or, op(v128.i8x16SubSatU, a, b), op(v128.i8x16SubSatU, b, a));

/** PSADBW: sums of 8 distances each. */
const distanceSums: VectorOperation = (o, a, b) => {
  const words = op(v128.i16x8ExtaddI8x16U, byteDistances(a, b));
  const doublewords = o.let(op(v128.i32x4ExtaddI16x8U, words));
  const sums = op(v128.i32x4Add, doublewords, op(v128.i64x2ShrU, doublewords, o.i32(32)));
  return op(v128.and, sums, lanes(64, 0xffff));
};

interface LaneOpcodes {
  readonly bits: 8 | 16 | 32;
  readonly equal: number;
  readonly shiftRightSigned: number;
  readonly subtract: number;
}

const bytes: LaneOpcodes = {
  bits: 8,
  equal: v128.i8x16Eq,
  shiftRightSigned: v128.i8x16ShrS,
  subtract: v128.i8x16Sub,
};
const words: LaneOpcodes = {
  bits: 16,
  equal: v128.i16x8Eq,
  shiftRightSigned: v128.i16x8ShrS,
  subtract: v128.i16x8Sub,
};
const doublewords: LaneOpcodes = {
  bits: 32,
  equal: v128.i32x4Eq,
  shiftRightSigned: v128.i32x4ShrS,
  subtract: v128.i32x4Sub,
};

/** PSIGNx: a, -a or 0 by the sign of b. */
function signed({ bits, equal, shiftRightSigned, subtract }: LaneOpcodes): Semantics {
  return binary((o, a, b) => {
    const negative = o.let(op(shiftRightSigned, b, o.i32(bits - 1)));
    const value = op(subtract, op(v128.xor, a, negative), negative);
    return andNot(value, op(equal, b, zeroVector));
  });
}

/** The even and the odd lanes of a (first) and b. Of MMX operands they are the low halves of the results. */
export function evenAndOdd(a: Value, b: Value, laneBytes: number, mmx: boolean): { even: Value; odd: Value } {
  const count = (mmx ? 8 : 16) / laneBytes;
  const pick = (first: number): number[] => {
    const chosen: number[] = [];
    for (let lane = 0; lane < 16 / laneBytes; lane++) {
      const position = (lane * 2) % (count * 2);
      const start = (position < count ? position : position - count + 16 / laneBytes) + first;
      for (let byte = 0; byte < laneBytes; byte++) chosen.push(start * laneBytes + byte);
    }
    return chosen;
  };
  return { even: shuffle(a, b, pick(0)), odd: shuffle(a, b, pick(1)) };
}

/** PHADDx, PHSUBx: neighbours of a, then of b. */
function horizontal(opcode: number, laneBytes: 2 | 4): Semantics {
  return binary((_o, a, b, mmx) => {
    const { even, odd } = evenAndOdd(a, b, laneBytes, mmx);
    return op(opcode, even, odd);
  });
}

/** PHMINPOSUW: the least word and where it is first. */
function leastWord(o: Ops, a: Value): Value {
  const rotated = (v: Value, by: number): Value =>
    shuffle(
      v,
      v,
      Array.from({ length: 16 }, (_, n) => (n + by) & 15),
    );
  let least = a;
  for (const distance of [8, 4, 2]) least = o.let(op(v128.i16x8MinU, least, rotated(least, distance)));
  const position = o.ctz(op(v128.i16x8Bitmask, op(v128.i16x8Eq, a, least)));
  const both = o.or(extract(v128.i16x8ExtractLaneU, least, 0), o.shl(position, 16));
  return replace(v128.i32x4ReplaceLane, zeroVector, 0, both);
}

/** PXOR, XORPS, XORPD: a register with itself is how code makes zeros. */
const exclusiveOr: Semantics = (o, x) => {
  const destination = operandAt(x, 0);
  if (!o.isSameRegister(destination, operandAt(x, 1))) return direct(v128.xor)(o, x);
  o.write(destination, zeroVector);
  o.noteTame(destination, pd);
  o.noteTame(destination, ps);
};

export const sseInteger = {
  paddb: direct(v128.i8x16Add),
  paddw: direct(v128.i16x8Add),
  paddd: direct(v128.i32x4Add),
  paddq: direct(v128.i64x2Add),
  paddsb: direct(v128.i8x16AddSatS),
  paddsw: direct(v128.i16x8AddSatS),
  paddusb: direct(v128.i8x16AddSatU),
  paddusw: direct(v128.i16x8AddSatU),
  psubb: direct(v128.i8x16Sub),
  psubw: direct(v128.i16x8Sub),
  psubd: direct(v128.i32x4Sub),
  psubq: direct(v128.i64x2Sub),
  psubsb: direct(v128.i8x16SubSatS),
  psubsw: direct(v128.i16x8SubSatS),
  psubusb: direct(v128.i8x16SubSatU),
  psubusw: direct(v128.i16x8SubSatU),
  pavgb: direct(v128.i8x16AvgrU),
  pavgw: direct(v128.i16x8AvgrU),
  pminub: direct(v128.i8x16MinU),
  pminsb: direct(v128.i8x16MinS),
  pminuw: direct(v128.i16x8MinU),
  pminsw: direct(v128.i16x8MinS),
  pminud: direct(v128.i32x4MinU),
  pminsd: direct(v128.i32x4MinS),
  pmaxub: direct(v128.i8x16MaxU),
  pmaxsb: direct(v128.i8x16MaxS),
  pmaxuw: direct(v128.i16x8MaxU),
  pmaxsw: direct(v128.i16x8MaxS),
  pmaxud: direct(v128.i32x4MaxU),
  pmaxsd: direct(v128.i32x4MaxS),
  pcmpeqb: direct(v128.i8x16Eq),
  pcmpeqw: direct(v128.i16x8Eq),
  pcmpeqd: direct(v128.i32x4Eq),
  pcmpeqq: direct(v128.i64x2Eq),
  pcmpgtb: direct(v128.i8x16GtS),
  pcmpgtw: direct(v128.i16x8GtS),
  pcmpgtd: direct(v128.i32x4GtS),
  pcmpgtq: direct(v128.i64x2GtS),
  pand: direct(v128.and),
  pandn: binary((_o, a, b) => andNot(b, a)),
  por: direct(v128.or),
  pxor: exclusiveOr,
  pabsb: unary((_o, a) => op(v128.i8x16Abs, a)),
  pabsw: unary((_o, a) => op(v128.i16x8Abs, a)),
  pabsd: unary((_o, a) => op(v128.i32x4Abs, a)),
  psignb: signed(bytes),
  psignw: signed(words),
  psignd: signed(doublewords),
  pmullw: direct(v128.i16x8Mul),
  pmulld: direct(v128.i32x4Mul),
  pmulhw: highProducts(v128.i32x4ExtmulLowI16x8S, v128.i32x4ExtmulHighI16x8S),
  pmulhuw: highProducts(v128.i32x4ExtmulLowI16x8U, v128.i32x4ExtmulHighI16x8U),
  pmulhrsw: binary(roundedProducts),
  pmuludq: evenProducts(v128.i64x2ExtmulLowI32x4U),
  pmuldq: evenProducts(v128.i64x2ExtmulLowI32x4S),
  pmaddwd: direct(v128.i32x4DotI16x8S),
  pmaddubsw: binary(multiplyAddBytes),
  psadbw: binary(distanceSums),
  phaddw: horizontal(v128.i16x8Add, 2),
  phaddd: horizontal(v128.i32x4Add, 4),
  phaddsw: horizontal(v128.i16x8AddSatS, 2),
  phsubw: horizontal(v128.i16x8Sub, 2),
  phsubd: horizontal(v128.i32x4Sub, 4),
  phsubsw: horizontal(v128.i16x8SubSatS, 2),
  phminposuw: unary(leastWord),
} as const satisfies Record<string, Semantics>;
