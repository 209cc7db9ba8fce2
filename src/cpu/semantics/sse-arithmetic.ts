/**
 * ADD, SUB, MUL, DIV, SQRT, MIN, MAX of single numbers and vectors: the fast way, what it leaves out, and when even that
 * needs no slow path. SDM Vol. 2.
 */
import { float as scalar } from '../../wasm/expression.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape, RareCode, SlowEmitter } from '../emit/float-emitter.ts';
import type { Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import {
  both,
  either,
  fastOrSlow,
  holds,
  isNormal,
  isNormalOrZero,
  isOrdinary,
  isSilent,
  isZero,
  magnitudeOf,
} from './sse-exact.ts';
import { evenAndOdd } from './sse-integer.ts';
import { packedOperation } from './sse-packed.ts';
import {
  divisionIsExact,
  hasShortFactors,
  leadsBack,
  productIsExact,
  rootIsExact,
  sumIsExact,
} from './sse-precision.ts';
import { floatType, readSource, type Source, scalarOperation, splatFloat } from './sse-scalar.ts';
import { lanes, lowFloat, op, readVector, zeroVector } from './vector.ts';

const opcodes = {
  add: [v128.f32x4Add, v128.f64x2Add],
  sub: [v128.f32x4Sub, v128.f64x2Sub],
  mul: [v128.f32x4Mul, v128.f64x2Mul],
  div: [v128.f32x4Div, v128.f64x2Div],
  sqrt: [v128.f32x4Sqrt, v128.f64x2Sqrt],
  min: [v128.f32x4Pmin, v128.f64x2Pmin],
  max: [v128.f32x4Pmax, v128.f64x2Pmax],
  eq: [v128.f32x4Eq, v128.f64x2Eq],
  ne: [v128.f32x4Ne, v128.f64x2Ne],
} as const;

export type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

/** An operation on the lanes of vectors. */
export const onLanes = (name: keyof typeof opcodes, { double }: LaneShape, ...operands: Value[]): Value =>
  op(opcodes[name][double ? 1 : 0], ...operands);

export const laneBits = ({ double }: LaneShape): 32 | 64 => (double ? 64 : 32);

/**
 * Lane mask: nothing but #P can come of `result` = a op b. Sums that are tiny are exact; products and quotients must be
 * larger than the least normal number, which a tiny one may have been rounded to.
 */
export function isPlain(o: SlowEmitter, name: Arithmetic, shape: LaneShape, a: Value, b: Value, result: Value): Value {
  const [x, y, r] = [magnitudeOf(o, shape, a), magnitudeOf(o, shape, b), magnitudeOf(o, shape, result)];
  if (name === 'div') return both(both(isNormalOrZero(x), isNormal(y)), either(isNormal(r, 2), isZero(x)));
  const operands = both(isNormalOrZero(x), isNormalOrZero(y));
  if (name === 'mul') return both(operands, either(isNormal(r, 2), either(isZero(x), isZero(y))));
  return both(operands, isNormalOrZero(r));
}

const negated = ({ double }: LaneShape, value: Value): Value => op(double ? v128.f64x2Neg : v128.f32x4Neg, value);

function isExact(o: SlowEmitter, name: Arithmetic, shape: LaneShape, a: Value, b: Value, result: Value): Value {
  if (name === 'mul') return productIsExact(shape, a, b);
  if (name === 'div') return divisionIsExact(shape, a, b, result);
  return sumIsExact(o, shape, a, name === 'sub' ? negated(shape, b) : b, result);
}

/** a op b; operands are bound, the result is. */
function compute(o: SlowEmitter, name: Arithmetic, shape: LaneShape, a: Value, b: Value): Value {
  const result = o.let(onLanes(name, shape, a, b));
  const plain = holds(o, shape, isPlain(o, name, shape, a, b, result));
  const silent = isSilent(o, shape, plain, () => isExact(o, name, shape, a, b, result));
  return fastOrSlow(o, silent, result, { operation: name, shape, a, b });
}

/** Zeros and positive normal numbers have square roots that are normal or zero. */
function computeRoot(o: SlowEmitter, shape: LaneShape, b: Value): Value {
  const magnitude = magnitudeOf(o, shape, b);
  const positive = op(shape.double ? v128.i64x2GtS : v128.i32x4GtS, b, zeroVector);
  const plain = holds(o, shape, either(both(positive, isNormal(magnitude)), isZero(magnitude)));
  const root = o.let(onLanes('sqrt', shape, b));
  const silent = isSilent(o, shape, plain, () => rootIsExact(shape, b, root));
  return fastOrSlow(o, silent, root, { operation: 'sqrt', shape, b });
}

/** MIN, MAX: b unless a is less (greater), which is what WebAssembly's pmin and pmax do with the operands exchanged. */
function computeSelection(o: SlowEmitter, operation: 'min' | 'max', shape: LaneShape, a: Value, b: Value): Value {
  const plain = both(isOrdinary(magnitudeOf(o, shape, a)), isOrdinary(magnitudeOf(o, shape, b)));
  return fastOrSlow(o, holds(o, shape, plain), onLanes(operation, shape, b, a), { operation, shape, a, b });
}

type OnVectors = (o: SlowEmitter, ...operands: Value[]) => Value;

const suffix = ({ double, count }: LaneShape): string => `${count === 1 ? 's' : 'p'}${double ? 'd' : 's'}`;

/** What an operation does where its fast way will not do; it is written on vectors. */
function rareCode(name: string, shape: LaneShape, sources: readonly Source[], onVectors: OnVectors): RareCode {
  const parameters = sources.map(({ value }) => value);
  const common = { name: `${name}${suffix(shape)}`, parameters };
  if (shape.count > 1) return { ...common, result: 'v128', body: (o, operands) => onVectors(o, ...operands) };
  return {
    ...common,
    result: floatType(shape),
    body: (o, operands) => {
      const vectors = operands.map((value) => o.let(splatFloat(value)));
      return lowFloat(onVectors(o, ...vectors), laneBits(shape));
    },
  };
}

/** Lane mask: a zero that is no underflow. */
function zeroResult(name: Arithmetic, shape: LaneShape, a: Value, b: Value, result: Value): Value {
  const isZeroLane = (value: Value): Value => onLanes('eq', shape, value, zeroVector);
  if (name === 'add' || name === 'sub') return isZeroLane(result);
  const cause = name === 'mul' ? either(isZeroLane(a), isZeroLane(b)) : isZeroLane(a);
  return both(isZeroLane(result), cause);
}

/** Lane mask: cheaply known to be exact. */
function exactLanes(name: Arithmetic, shape: LaneShape, a: Value, b: Value, result: Value): Value | undefined {
  if (name === 'mul') return hasShortFactors(shape, a, b);
  return name === 'div' ? undefined : leadsBack(name, shape, a, b, result);
}

export function arithmetic(name: Arithmetic, shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const onVectors: OnVectors = (s, ...operands) => compute(s, name, shape, ...(operands as [Value, Value]));
    if (shape.count === 1) {
      const b = readSource(o, operandAt(x, 1));
      const a = readSource(o, destination);
      const fast = scalar(name, a.value, b.value);
      const rare = rareCode(name, shape, [a, b], onVectors);
      scalarOperation(o, { shape, destination, sources: [a, b], fast, rounds: true, rare });
      return;
    }
    const b = { operand: operandAt(x, 1), value: readVector(o, operandAt(x, 1)) };
    const a = { operand: destination, value: readVector(o, destination) };
    packedOperation(o, {
      shape,
      destination,
      sources: [a, b],
      fast: onLanes(name, shape, a.value, b.value),
      rounded: {
        accepted: (result) => zeroResult(name, shape, a.value, b.value, result),
        exact: (result) => exactLanes(name, shape, a.value, b.value, result),
      },
      rare: rareCode(name, shape, [a, b], onVectors),
    });
  };
}

/** HADDPx, HSUBPx: even lanes of a and b with their odd neighbours. */
export function horizontal(name: 'add' | 'sub', shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const source = operandAt(x, 1);
    const b = readVector(o, source);
    const pairs = evenAndOdd(readVector(o, destination), b, shape.double ? 8 : 4, false);
    const [even, odd] = [o.let(pairs.even), o.let(pairs.odd)];
    const sources = [
      { operand: destination, value: even },
      { operand: source, value: odd },
    ];
    packedOperation(o, {
      shape,
      destination,
      sources,
      mixed: true,
      fast: onLanes(name, shape, even, odd),
      rounded: {
        accepted: (result) => zeroResult(name, shape, even, odd, result),
        exact: (result) => exactLanes(name, shape, even, odd, result),
      },
      rare: rareCode(name, shape, sources, (s, p, q) => compute(s, name, shape, p as Value, q as Value)),
    });
  };
}

const signBits = ({ double }: LaneShape): bigint => (double ? 1n << 63n : 1n << 31n);

/** ADDSUBPx: even lanes subtract, which is adding the negative unless NaNs are about. */
export function addSubtract(shape: LaneShape): Semantics {
  const addendOf = (b: Value): Value => op(v128.xor, b, lanes(laneBits(shape), signBits(shape), 0));
  const onVectors = (o: SlowEmitter, a: Value, b: Value): Value => {
    const addend = o.let(addendOf(b));
    const result = o.let(onLanes('add', shape, a, addend));
    const plain = holds(o, shape, isPlain(o, 'add', shape, a, b, result));
    const silent = isSilent(o, shape, plain, () => sumIsExact(o, shape, a, addend, result));
    return fastOrSlow(o, silent, result, { operation: 'addsub', shape, a, b });
  };
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = { operand: operandAt(x, 1), value: readVector(o, operandAt(x, 1)) };
    const a = { operand: destination, value: readVector(o, destination) };
    const addend = o.let(addendOf(b.value));
    packedOperation(o, {
      shape,
      destination,
      sources: [a, b],
      fast: onLanes('add', shape, a.value, addend),
      rounded: {
        accepted: (result) => zeroResult('add', shape, a.value, addend, result),
        exact: (result) => exactLanes('add', shape, a.value, addend, result),
      },
      rare: rareCode('addsub', shape, [a, b], (s, p, q) => onVectors(s, p as Value, q as Value)),
    });
  };
}

export function squareRoot(shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const source = operandAt(x, 1);
    const onVectors: OnVectors = (s, operand) => computeRoot(s, shape, operand as Value);
    if (shape.count === 1) {
      const b = readSource(o, source);
      const rare = rareCode('sqrt', shape, [b], onVectors);
      scalarOperation(o, { shape, destination, sources: [b], fast: scalar('sqrt', b.value), rounds: true, rare });
      return;
    }
    const b = { operand: source, value: readVector(o, source) };
    packedOperation(o, {
      shape,
      destination,
      sources: [b],
      fast: onLanes('sqrt', shape, b.value),
      rounded: { accepted: (result) => onLanes('eq', shape, result, zeroVector) },
      rare: rareCode('sqrt', shape, [b], onVectors),
    });
  };
}

export function selection(operation: 'min' | 'max', shape: LaneShape): Semantics {
  const onVectors: OnVectors = (s, ...operands) =>
    computeSelection(s, operation, shape, ...(operands as [Value, Value]));
  return (o, x) => {
    const destination = operandAt(x, 0);
    if (shape.count === 1) {
      const b = readSource(o, operandAt(x, 1));
      const a = readSource(o, destination);
      const selected = onLanes(operation, shape, splatFloat(b.value), splatFloat(a.value));
      scalarOperation(o, {
        shape,
        destination,
        sources: [a, b],
        fast: lowFloat(selected, laneBits(shape)),
        rounds: false,
        conditions: [a, b].map(({ value }) => scalar('ne', value, value)),
        rare: rareCode(operation, shape, [a, b], onVectors),
      });
      return;
    }
    const b = { operand: operandAt(x, 1), value: readVector(o, operandAt(x, 1)) };
    const a = { operand: destination, value: readVector(o, destination) };
    packedOperation(o, {
      shape,
      destination,
      sources: [a, b],
      fast: onLanes(operation, shape, b.value, a.value),
      odd: either(onLanes('ne', shape, a.value, a.value), onLanes('ne', shape, b.value, b.value)),
      rare: rareCode(operation, shape, [a, b], onVectors),
    });
  };
}
