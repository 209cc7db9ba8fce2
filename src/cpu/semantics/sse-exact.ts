/**
 * When WebAssembly's arithmetic is all an SSE operation needs. With rounding to nearest, every exception masked and PE
 * already set, an operation on normal numbers and zeros whose result is normal or an exact zero changes nothing but the
 * destination; DAZ and FTZ then make no difference. Everything else takes the slow path. SDM Vol. 1, 10.2.3 and 11.5.
 */
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { loadFrom } from '../../wasm/expression.ts';
import { load, store, v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { FloatEmitter, LaneShape, RareCode, SlowEmitter } from '../emit/float-emitter.ts';
import { type SseOperation, sseOperations, sseShape } from '../emit/sse-operations.ts';
import { state } from '../state/layout.ts';
import { extract, lanes, low64, op, zeroVector } from './vector.ts';

export const ss: LaneShape = { double: false, count: 1 };
export const ps: LaneShape = { double: false, count: 4 };
export const sd: LaneShape = { double: true, count: 1 };
export const pd: LaneShape = { double: true, count: 2 };
/** The low half of four: conversions to binary64, and from and to MMX. */
export const lowSingles: LaneShape = { double: false, count: 2 };

function mxcsrIs(o: SlowEmitter, mask: number, value: number): Value {
  return o.eq(o.and(o.loadState32(state.mxcsr), mask), value);
}

/** Nothing that inexact arithmetic on ordinary numbers does can be seen in MXCSR; rounding is to nearest. */
export const inexactIsSilent = (o: SlowEmitter): Value =>
  mxcsrIs(o, mxcsr.roundingMask | mxcsr.allMasks | mxcsr.precision, mxcsr.allMasks | mxcsr.precision);

/** #P alone is masked and already flagged; rounding is to nearest (`nearest`) or does not matter. */
export function precisionIsSilent(o: SlowEmitter, nearest: boolean): Value {
  const silent = mxcsr.precision | mxcsr.precisionMask;
  return mxcsrIs(o, nearest ? silent | mxcsr.roundingMask : silent, silent);
}

/**
 * i32: nothing can be seen of an operation but its result. `plain` (i32): #P is all that can come of it, and rounding is to
 * nearest. `isExact` emits a lane mask that tells whether #P does come, for as long as PE is not set.
 */
export function isSilent(o: SlowEmitter, shape: LaneShape, plain: Value, isExact: () => Value): Value {
  const bound = o.let(plain);
  const silent = o.variable('i32', o.and(bound, inexactIsSilent(o)));
  o.ifUnlikely(o.isZero(o.get(silent)), () => {
    const toNearest = o.isZero(roundingControl(o));
    o.if(o.and(bound, toNearest), () => o.set(silent, holds(o, shape, isExact())));
  });
  return o.get(silent);
}

/** MXCSR.RC: i32. */
export const roundingControl = (o: SlowEmitter): Value =>
  o.and(o.shrU(o.loadState32(state.mxcsr), mxcsr.roundingShift), 3);

/** Does a lane mask (all ones or all zeros a lane) hold for all lanes of the shape? i32, non-zero or zero. */
export function holds(o: SlowEmitter, { double, count }: LaneShape, mask: Value): Value {
  if (count === 1) return extract(v128.i32x4ExtractLane, mask, 0);
  if (count === (double ? 2 : 4)) return op(double ? v128.i64x2AllTrue : v128.i32x4AllTrue, mask);
  return o.eq(low64(mask), -1n);
}

/** Lane masks by magnitude. A magnitude is a lane shifted left by one: exponent on top, sign gone. Bound values. */
interface Magnitude {
  readonly double: boolean;
  readonly value: Value;
}

export function magnitudeOf(o: SlowEmitter, { double }: LaneShape, lane: Value): Magnitude {
  return { double, value: o.let(op(double ? v128.i64x2Shl : v128.i32x4Shl, lane, o.i32(1))) };
}

export const isZero = ({ double, value }: Magnitude): Value =>
  op(double ? v128.i64x2Eq : v128.i32x4Eq, value, zeroVector);

/**
 * Lanes with `least` <= biased exponent < `end`, or (`inclusive`) the least magnitude of exponent `end`: an infinity.
 * Unsigned comparison by signed means: both sides moved down by half the range.
 */
export function exponentBetween(magnitude: Magnitude, least: number, end: number, inclusive = false): Value {
  const { double, value } = magnitude;
  const bits = double ? 64 : 32;
  const unit = double ? 1n << 53n : 1n << 24n;
  const half = 1n << BigInt(bits - 1);
  const low = BigInt(least) * unit;
  const high = BigInt(end) * unit + (inclusive ? 1n : 0n);
  const moved = op(double ? v128.i64x2Add : v128.i32x4Add, value, lanes(bits, BigInt.asUintN(bits, half - low)));
  return op(double ? v128.i64x2GtS : v128.i32x4GtS, lanes(bits, BigInt.asUintN(bits, high - low + half)), moved);
}

const infiniteExponent = (double: boolean): number => (double ? 0x7ff : 0xff);

/** Normal numbers with a biased exponent of at least `least`. */
export const isNormal = (m: Magnitude, least = 1): Value => exponentBetween(m, least, infiniteExponent(m.double));

export const isNormalOrZero = (m: Magnitude): Value => op(v128.or, isNormal(m), isZero(m));

/** Neither NaN nor denormal. */
export const isOrdinary = (m: Magnitude): Value =>
  op(v128.or, exponentBetween(m, 1, infiniteExponent(m.double), true), isZero(m));

/** Both masks. */
export const both = (a: Value, b: Value): Value => op(v128.and, a, b);
export const either = (a: Value, b: Value): Value => op(v128.or, a, b);

interface SlowCall {
  readonly operation: SseOperation;
  readonly shape: LaneShape;
  /** v128, bound; absent where the operation has one operand. */
  readonly a?: Value;
  readonly b: Value;
  readonly immediate?: Value;
}

/** Runs the slow path; its result is in `slowResult` or, for comparisons, in scratch 0. */
export function callSlow(o: SlowEmitter, { operation, shape, a, b, immediate }: SlowCall): void {
  const none = o.i32(0);
  if (a !== undefined) o.storeState(store.v128, none, state.vectorScratch, a);
  o.storeState(store.v128, none, state.vectorScratch + 16, b);
  const code = o.i32(sseOperations.indexOf(operation));
  o.host('sse', code, o.i32(shape.count | (shape.double ? sseShape.double : 0)), immediate ?? none);
}

export const slowResult = (o: SlowEmitter): Value => loadFrom(load.v128, 'v128', o.i32(0), state.vectorScratch, 0);

/** As `fastOrSlow`, with the slow call elsewhere. */
export function fastOrRare(o: FloatEmitter, condition: Value, fast: Value, call: SlowCall): Value {
  const result = o.variable('v128', fast);
  o.ifAny([o.isZero(condition)], () => o.set(result, o.rare(slowCode(call))));
  return o.get(result);
}

/** A slow call as rare code. */
export function slowCode({ operation, shape, a, b, immediate }: SlowCall): RareCode {
  return {
    name: `${operation} ${shape.count} ${shape.double ? 'double' : 'single'}`,
    parameters: [b, ...(a === undefined ? [] : [a]), ...(immediate === undefined ? [] : [immediate])],
    result: 'v128',
    body: (o, operands) => {
      const [p, q] = operands as [Value, Value];
      const values = a === undefined ? { b: p } : { a: q, b: p };
      callSlow(o, { operation, shape, ...values, ...(immediate && { immediate: operands.at(-1) as Value }) });
      return slowResult(o);
    },
  };
}

/** The value of `fast` if `condition` (i32) holds, else what the slow path gives. */
export function fastOrSlow(o: SlowEmitter, condition: Value, fast: Value, call: SlowCall): Value {
  const result = o.variable('v128');
  o.ifLikely(
    condition,
    () => o.set(result, fast),
    () => {
      callSlow(o, call);
      o.set(result, slowResult(o));
    },
  );
  return o.get(result);
}
