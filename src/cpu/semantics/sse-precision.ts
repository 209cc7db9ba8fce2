/**
 * Whether a rounded result is the exact one, as lane masks: such an operation raises no #P, so that it needs no slow path
 * even before MXCSR.PE is set. "No" may be wrong, "yes" never is. For ordinary numbers and results, rounded to nearest.
 */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape, SlowEmitter } from '../emit/float-emitter.ts';
import { lanes, op, zeroVector } from './vector.ts';

const equal = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Eq : v128.f32x4Eq, a, b);

/** a + b = `sum`: the rounding error, which is itself a floating-point number, is 0 (Knuth's two-sum). */
export function sumIsExact(o: SlowEmitter, shape: LaneShape, a: Value, b: Value, sum: Value): Value {
  const [add, sub] = shape.double ? [v128.f64x2Add, v128.f64x2Sub] : [v128.f32x4Add, v128.f32x4Sub];
  const fromB = o.let(op(sub, sum, a));
  const error = op(add, op(sub, a, op(sub, sum, fromB)), op(sub, b, fromB));
  return equal(shape, error, zeroVector);
}

/** a × b loses nothing: both significands are short enough for their product to fit, or one of them is a power of 2. */
export function productIsExact({ double }: LaneShape, a: Value, b: Value): Value {
  const bits = double ? 64 : 32;
  const isClear = (value: Value, mask: bigint): Value =>
    op(double ? v128.i64x2Eq : v128.i32x4Eq, op(v128.and, value, lanes(bits, mask)), zeroVector);
  const fraction = (1n << (double ? 52n : 23n)) - 1n;
  const lowHalf = (1n << (double ? 27n : 12n)) - 1n;
  const onePower = op(v128.or, isClear(a, fraction), isClear(b, fraction));
  return op(v128.or, isClear(op(v128.or, a, b), lowHalf), onePower);
}

/** The first of these alone. */
export function hasShortFactors({ double }: LaneShape, a: Value, b: Value): Value {
  const lowHalf = double ? lanes(64, (1n << 27n) - 1n) : lanes(32, (1n << 12n) - 1n);
  return op(double ? v128.i64x2Eq : v128.i32x4Eq, op(v128.and, op(v128.or, a, b), lowHalf), zeroVector);
}

/**
 * a + b = `result`, or a - b: taking either operand away leaves the other. Of the greater one that is exact, and tells what
 * the result lost (Dekker's fast two-sum).
 */
export function leadsBack(name: 'add' | 'sub', shape: LaneShape, a: Value, b: Value, result: Value): Value {
  const [add, sub] = shape.double ? [v128.f64x2Add, v128.f64x2Sub] : [v128.f32x4Add, v128.f32x4Sub];
  const toB = name === 'add' ? op(sub, result, a) : op(sub, a, result);
  const toA = op(name === 'add' ? sub : add, result, b);
  return op(v128.and, equal(shape, toB, b), equal(shape, toA, a));
}

/** a ÷ b = `quotient`. */
export function divisionIsExact(shape: LaneShape, a: Value, b: Value, quotient: Value): Value {
  const product = op(shape.double ? v128.f64x2Mul : v128.f32x4Mul, quotient, b);
  return op(v128.and, productIsExact(shape, quotient, b), equal(shape, product, a));
}

/** √a = `root`. */
export const rootIsExact = (shape: LaneShape, a: Value, root: Value): Value => divisionIsExact(shape, a, root, root);

/** A binary64 number is a binary32 one too. */
export const narrowingIsExact = (a: Value, narrowed: Value): Value =>
  op(v128.f64x2Eq, op(v128.f64x2PromoteLowF32x4, narrowed), a);
