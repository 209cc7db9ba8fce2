/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Sets of elements are bit masks, one bit an element. The first operand is
 * the set, the ranges or the substring; the second is the text. SDM Vol. 1 chapter 12 and Vol. 2B 4.1.
 */
import { v128 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import { type Ops, rax, rcx, rdx, type Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';
import { immediateOf, lanes, op, readVector, replace, splat8, splat16, swizzle, zeroVector } from './vector.ts';

/** Bits of the immediate. */
const control = {
  words: 1,
  signed: 2,
  aggregation: 0x0c,
  polarity: 0x30,
  negative: 0x10,
  masked: 0x20,
  mostOrMask: 0x40,
};

/** One comparison, while its code is emitted. */
interface Comparison {
  readonly o: Ops;
  readonly a: Value;
  readonly b: Value;
  readonly immediate: Value;
  /** i32 conditions and numbers, bound. */
  readonly words: Value;
  /** Elements of a vector: 16 or 8, and a mask of as many ones. */
  readonly count: Value;
  readonly all: Value;
  /** Valid elements at the beginning of each operand. */
  readonly lengthA: Value;
  readonly lengthB: Value;
}

/** The mask of the lanes that a vector of ones and zeros has set, by element size. `vector` is bound. */
function maskOf(c: Pick<Comparison, 'o' | 'words'>, bytes: Value, words: Value): Value {
  return c.o.select(c.words, op(v128.i16x8Bitmask, words), op(v128.i8x16Bitmask, bytes));
}

const ones = (o: Ops, count: Value): Value => o.sub(o.shl(o.i32(1), count), 1);

/** Element `position` of `a` in all lanes. */
function spread({ o, words }: Comparison, vector: Value, position: Value): Value {
  const pair = op(v128.i8x16Add, splat16(o.mul(position, 0x0202)), lanes(16, 0x0100));
  return swizzle(vector, o.select(words, pair, splat8(position)));
}

const equalElements = (c: Comparison, a: Value, b: Value): Value =>
  maskOf(c, op(v128.i8x16Eq, a, b), op(v128.i16x8Eq, a, b));

/** Runs `body` for each position 0, `step` … below `end`. */
function forEach(o: Ops, end: Value, step: number, body: (position: Value) => void): void {
  const position = o.variable('i32', o.i32(0));
  o.block((done) => {
    o.loop((again) => {
      o.branchIf(o.geU(o.get(position), end), done);
      body(o.let(o.get(position)));
      o.set(position, o.add(o.get(position), step));
      o.branch(again);
    });
  });
}

/** Text elements that occur in the set. */
function equalAny(c: Comparison, result: Local): void {
  const { o, a, b } = c;
  forEach(o, c.lengthA, 1, (position) => {
    const element = o.let(spread(c, a, position));
    o.set(result, o.or(o.get(result), equalElements(c, element, b)));
  });
  o.set(result, o.and(o.get(result), ones(o, c.lengthB)));
}

/** Text elements in one of the ranges (pairs of a: least, greatest). A pair that is cut off matches nothing. */
function ranges(c: Comparison, result: Local): void {
  const { o, a, b, immediate } = c;
  const isSigned = o.let(o.and(immediate, control.signed));
  // Unsigned comparison by signed means: both sides with their top bits inverted.
  const bias = o.select(c.words, lanes(16, 0x8000), lanes(8, 0x80));
  const inverted = o.let(o.select(isSigned, zeroVector, bias));
  const [low, text] = [o.let(op(v128.xor, a, inverted)), o.let(op(v128.xor, b, inverted))];
  const greater = (x: Value, y: Value): Value => maskOf(c, op(v128.i8x16GtS, x, y), op(v128.i16x8GtS, x, y));
  forEach(o, o.let(o.and(c.lengthA, -2)), 2, (position) => {
    const least = o.let(spread(c, low, position));
    const greatest = o.let(spread(c, low, o.add(position, 1)));
    const outside = o.or(greater(least, text), greater(text, greatest));
    o.set(result, o.or(o.get(result), o.xor(outside, -1)));
  });
  o.set(result, o.and(o.get(result), ones(o, c.lengthB)));
}

/** Positions at which both have the same element, or both have none. */
function equalEach(c: Comparison, result: Local): void {
  const { o } = c;
  const validA = o.let(ones(o, c.lengthA));
  const validB = o.let(ones(o, c.lengthB));
  const equal = o.and(equalElements(c, c.a, c.b), o.and(validA, validB));
  o.set(result, o.or(equal, o.and(c.all, o.not(o.or(validA, validB)))));
}

/** Positions of the text at which the substring begins; it may run over the end of the vector, not over the text's. */
function equalOrdered(c: Comparison, result: Local): void {
  const { o, a, b } = c;
  const validB = o.let(ones(o, c.lengthB));
  o.set(result, c.all);
  forEach(o, c.lengthA, 1, (position) => {
    const element = o.let(spread(c, a, position));
    const found = o.and(equalElements(c, element, b), validB);
    const beyond = o.not(o.shrU(c.all, position));
    o.set(result, o.and(o.get(result), o.or(o.shrU(found, position), beyond)));
  });
}

/** IntRes1 by the aggregation of the immediate. */
function aggregate(c: Comparison): Local {
  const { o } = c;
  const result = o.variable('i32', o.i32(0));
  const kind = o.let(o.and(c.immediate, control.aggregation));
  o.if(
    o.and(kind, 8),
    () => {
      o.if(
        o.and(kind, 4),
        () => equalOrdered(c, result),
        () => equalEach(c, result),
      );
    },
    () => {
      o.if(
        o.and(kind, 4),
        () => ranges(c, result),
        () => equalAny(c, result),
      );
    },
  );
  return result;
}

/** IntRes2: inverted for all elements, or for valid ones only. Bound. */
function withPolarity(c: Comparison, intermediate: Value): Value {
  const { o } = c;
  const kind = o.let(o.and(c.immediate, control.polarity));
  const valid = o.select(o.and(kind, control.masked), ones(o, c.lengthB), c.all);
  return o.let(o.xor(intermediate, o.select(o.and(kind, control.negative), valid, o.i32(0))));
}

/** |rAX| or |rDX|, at most the number of elements. */
function explicitLength(o: Ops, register: number, bits: number, count: Value): Value {
  const value = o.gpr(register, bits);
  const magnitude = o.let(o.select(o.ltS(value, 0), o.neg(value), value));
  const limit = bits === 64 ? o.extendU(count) : count;
  return o.let(o.wrap(o.select(o.gtU(magnitude, limit), limit, magnitude)));
}

/** Elements before the first that is 0. */
function implicitLength(o: Ops, vector: Value, words: Value, count: Value): Value {
  const zeros = maskOf({ o, words }, op(v128.i8x16Eq, vector, zeroVector), op(v128.i16x8Eq, vector, zeroVector));
  return o.let(o.ctz(o.or(zeros, o.shl(o.i32(1), count))));
}

/** XMM0: IntRes2 as bits, or as masks of the elements. */
function writeMask(c: Comparison, result: Value): void {
  const { o } = c;
  const wordBits = lanes(16, 1, 2, 4, 8, 16, 32, 64, 128);
  const byteBits = lanes(8, 1, 2, 4, 8, 16, 32, 64, 128);
  const asWords = op(v128.i16x8Eq, op(v128.and, splat16(result), wordBits), wordBits);
  const halves = swizzle(splat16(result), lanes(8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  const asBytes = op(v128.i8x16Eq, op(v128.and, halves, byteBits), byteBits);
  const expanded = o.select(c.words, asWords, asBytes);
  const bits = replace(v128.i32x4ReplaceLane, zeroVector, 0, result);
  const value = o.select(o.and(c.immediate, control.mostOrMask), expanded, bits);
  o.storeRegister(o.i32(state.xmm), 128, value, false);
}

/** ECX: position of the least or most significant bit of IntRes2, or the number of elements. */
function writeIndex(c: Comparison, result: Value): void {
  const { o } = c;
  const most = o.sub(o.i32(31), o.clz(result));
  const index = o.select(o.and(c.immediate, control.mostOrMask), most, o.ctz(result));
  o.setGpr(rcx, 32, o.select(result, index, c.count));
}

function compareStrings(explicit: boolean, write: (c: Comparison, result: Value) => void): Semantics {
  return (o, x: Form) => {
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, operandAt(x, 0));
    const immediate = immediateOf(o, x);
    const words = o.let(o.and(immediate, control.words));
    const count = o.let(o.shrU(o.i32(16), words));
    const bits = x.operandSize === 64 ? 64 : 32;
    const lengthOf = (vector: Value, register: number): Value =>
      explicit ? explicitLength(o, register, bits, count) : implicitLength(o, vector, words, count);
    const all = o.let(ones(o, count));
    const c: Comparison = {
      o,
      a,
      b,
      immediate,
      words,
      count,
      all,
      lengthA: lengthOf(a, rax),
      lengthB: lengthOf(b, rdx),
    };
    const result = withPolarity(c, o.get(aggregate(c)));
    write(c, result);
    const none = o.i32(0);
    o.setFlags({
      cf: o.ne(result, 0),
      zf: o.ltU(c.lengthB, count),
      sf: o.ltU(c.lengthA, count),
      of: o.and(result, 1),
      af: none,
      pf: none,
    });
  };
}

export const sseString = {
  pcmpestri: compareStrings(true, writeIndex),
  pcmpestrm: compareStrings(true, writeMask),
  pcmpistri: compareStrings(false, writeIndex),
  pcmpistrm: compareStrings(false, writeMask),
} as const satisfies Record<string, Semantics>;
