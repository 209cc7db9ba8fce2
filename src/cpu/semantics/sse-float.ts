/** SSE floating-point arithmetic: `sse-exact.ts` tells when WebAssembly's own will do. SDM Vol. 2. */
import { float as floatOperation } from '../../wasm/expression.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape, RareCode, SlowEmitter } from '../emit/float-emitter.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import {
  both,
  either,
  exponentBetween,
  fastOrSlow,
  holds,
  inexactIsSilent,
  isNormal,
  isNormalOrZero,
  isOrdinary,
  isSilent,
  isZero,
  magnitudeOf,
  pd,
  ps,
  sd,
  ss,
} from './sse-exact.ts';
import { evenAndOdd } from './sse-integer.ts';
import { divisionIsExact, productIsExact, rootIsExact, sumIsExact } from './sse-precision.ts';
import { floatType, readSource, type Source, scalarOperation, splatFloat } from './sse-scalar.ts';
import {
  blend,
  immediateOf,
  lanes,
  lowFloat,
  op,
  readVector,
  shuffle,
  splat32,
  splat64,
  writeVector,
  zeroVector,
} from './vector.ts';

const opcodes = {
  add: [v128.f32x4Add, v128.f64x2Add],
  sub: [v128.f32x4Sub, v128.f64x2Sub],
  mul: [v128.f32x4Mul, v128.f64x2Mul],
  div: [v128.f32x4Div, v128.f64x2Div],
  sqrt: [v128.f32x4Sqrt, v128.f64x2Sqrt],
} as const;

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

const float = (name: keyof typeof opcodes, { double }: LaneShape, ...operands: Value[]): Value =>
  op(opcodes[name][double ? 1 : 0], ...operands);

/**
 * Lane mask: nothing but #P can come of `result` = a op b. Sums that are tiny are exact; products and quotients must be
 * larger than the least normal number, which a tiny one may have been rounded to.
 */
function isPlain(o: SlowEmitter, name: Arithmetic, shape: LaneShape, a: Value, b: Value, result: Value): Value {
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
  const result = o.let(float(name, shape, a, b));
  const plain = holds(o, shape, isPlain(o, name, shape, a, b, result));
  const silent = isSilent(o, shape, plain, () => isExact(o, name, shape, a, b, result));
  return fastOrSlow(o, silent, result, { operation: name, shape, a, b });
}

/** What a scalar operation does on vectors, where its fast way will not do. */
const rareCode = (
  name: string,
  shape: LaneShape,
  sources: readonly Source[],
  onVectors: (o: SlowEmitter, ...operands: Value[]) => Value,
): RareCode => ({
  name: `${name}${shape.double ? 'sd' : 'ss'}`,
  parameters: sources.map(({ value }) => value),
  result: floatType(shape),
  body: (o, parameters) =>
    lowFloat(onVectors(o, ...parameters.map((value) => o.let(splatFloat(value)))), widthOf(shape)),
});

function scalarArithmetic(name: Arithmetic, shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readSource(o, operandAt(x, 1));
    const a = readSource(o, destination);
    scalarOperation(o, {
      shape,
      destination,
      sources: [a, b],
      fast: floatOperation(name, a.value, b.value),
      rounds: true,
      rare: rareCode(name, shape, [a, b], (s, ...operands) => compute(s, name, shape, ...(operands as [Value, Value]))),
    });
  };
}

function arithmetic(name: Arithmetic, shape: LaneShape): Semantics {
  if (shape.count === 1) return scalarArithmetic(name, shape);
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    o.write(destination, compute(o, name, shape, readVector(o, destination), b));
  };
}

/** HADDPx, HSUBPx: even lanes of a and b with their odd neighbours. */
function horizontal(name: 'add' | 'sub', shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const { even, odd } = evenAndOdd(readVector(o, destination), b, shape.double ? 8 : 4, false);
    o.write(destination, compute(o, name, shape, o.let(even), o.let(odd)));
  };
}

const signBits = ({ double }: LaneShape): bigint => (double ? 1n << 63n : 1n << 31n);
const widthOf = ({ double }: LaneShape): 32 | 64 => (double ? 64 : 32);

/** ADDSUBPx: even lanes subtract, which is adding the negative unless NaNs are about. */
function addSubtract(shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, destination);
    const addend = o.let(op(v128.xor, b, lanes(widthOf(shape), signBits(shape), 0)));
    const result = o.let(float('add', shape, a, addend));
    const plain = holds(o, shape, isPlain(o, 'add', shape, a, b, result));
    const silent = isSilent(o, shape, plain, () => sumIsExact(o, shape, a, addend, result));
    o.write(destination, fastOrSlow(o, silent, result, { operation: 'addsub', shape, a, b }));
  };
}

/** Zeros and positive normal numbers have square roots that are normal or zero. */
function computeRoot(o: SlowEmitter, shape: LaneShape, b: Value): Value {
  const magnitude = magnitudeOf(o, shape, b);
  const positive = op(shape.double ? v128.i64x2GtS : v128.i32x4GtS, b, zeroVector);
  const plain = holds(o, shape, either(both(positive, isNormal(magnitude)), isZero(magnitude)));
  const root = o.let(float('sqrt', shape, b));
  const silent = isSilent(o, shape, plain, () => rootIsExact(shape, b, root));
  return fastOrSlow(o, silent, root, { operation: 'sqrt', shape, b });
}

function squareRoot(shape: LaneShape): Semantics {
  if (shape.count > 1) {
    return (o, x) => o.write(operandAt(x, 0), computeRoot(o, shape, readVector(o, operandAt(x, 1))));
  }
  return (o, x) => {
    const b = readSource(o, operandAt(x, 1));
    scalarOperation(o, {
      shape,
      destination: operandAt(x, 0),
      sources: [b],
      fast: floatOperation('sqrt', b.value),
      rounds: true,
      rare: rareCode('sqrt', shape, [b], (s, operand) => computeRoot(s, shape, operand as Value)),
    });
  };
}

const selections = {
  min: [v128.f32x4Pmin, v128.f64x2Pmin],
  max: [v128.f32x4Pmax, v128.f64x2Pmax],
} as const;

/** MIN, MAX: b unless a is less (greater), which is what WebAssembly's pmin and pmax do with the operands exchanged. */
const select = (operation: 'min' | 'max', { double }: LaneShape, a: Value, b: Value): Value =>
  op(selections[operation][double ? 1 : 0], b, a);

function computeSelection(o: SlowEmitter, operation: 'min' | 'max', shape: LaneShape, a: Value, b: Value): Value {
  const plain = both(isOrdinary(magnitudeOf(o, shape, a)), isOrdinary(magnitudeOf(o, shape, b)));
  return fastOrSlow(o, holds(o, shape, plain), select(operation, shape, a, b), { operation, shape, a, b });
}

function selection(operation: 'min' | 'max', shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    if (shape.count > 1) {
      const b = readVector(o, operandAt(x, 1));
      o.write(destination, computeSelection(o, operation, shape, readVector(o, destination), b));
      return;
    }
    const b = readSource(o, operandAt(x, 1));
    const a = readSource(o, destination);
    const selected = select(operation, shape, splatFloat(a.value), splatFloat(b.value));
    scalarOperation(o, {
      shape,
      destination,
      sources: [a, b],
      fast: lowFloat(selected, widthOf(shape)),
      rounds: false,
      conditions: [a, b].map(({ value }) => floatOperation('ne', value, value)),
      rare: rareCode(operation, shape, [a, b], (s, ...operands) =>
        computeSelection(s, operation, shape, ...(operands as [Value, Value])),
      ),
    });
  };
}

/** Ones in the lanes whose bit of the immediate, from `firstBit` on, is set. */
function immediateMask(o: Ops, shape: LaneShape, immediate: Value, firstBit: number): Value {
  const bits = Array.from({ length: shape.count }, (_, n) => 1 << (firstBit + n));
  const chosen = lanes(widthOf(shape), ...bits);
  const splatted = shape.double ? splat64(o.extendU(immediate)) : splat32(immediate);
  return op(shape.double ? v128.i64x2Eq : v128.i32x4Eq, op(v128.and, splatted, chosen), chosen);
}

/** DPPS, DPPD: products, sums of neighbours, the sum of those; lanes outside the masks are +0. */
function dotProduct(shape: LaneShape): Semantics {
  const halfTurn = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  const neighbours = shape.double ? halfTurn : [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, destination);
    const immediate = immediateOf(o, x);
    const wanted = o.let(immediateMask(o, shape, immediate, 4));
    const [p, q] = [o.let(both(a, wanted)), o.let(both(b, wanted))];
    const products = o.let(both(float('mul', shape, p, q), wanted));
    let plain = o.let(isPlain(o, 'mul', shape, p, q, products));
    let sum = products;
    for (const turn of shape.double ? [neighbours] : [neighbours, halfTurn]) {
      const other = o.let(shuffle(sum, sum, turn));
      const next = o.let(float('add', shape, sum, other));
      plain = o.let(both(plain, isPlain(o, 'add', shape, sum, other, next)));
      sum = next;
    }
    const condition = o.and(inexactIsSilent(o), holds(o, shape, plain));
    const result = both(sum, immediateMask(o, shape, immediate, 0));
    o.write(destination, fastOrSlow(o, condition, result, { operation: 'dot', shape, a, b, immediate }));
  };
}

const one = lanes(32, 0x3f80_0000);
const quietBit = lanes(32, 0x40_0000);
const signs = lanes(32, 0x8000_0000);
const indefinite = lanes(32, 0xffc0_0000);

/** `value` with denormals replaced by zeros of their sign; of a result (`least`) the least normal number too. */
function flushed(o: Ops, value: Value, least: boolean): Value {
  const tiny = exponentBetween(magnitudeOf(o, ps, value), 0, 1, least);
  return blend(tiny, both(value, signs), value);
}

/**
 * RCPPS, RSQRTPS and their scalar forms: exact to the last place or so, where a processor promises 12 bits. They raise
 * nothing and ignore MXCSR; denormal operands and results are zeros.
 */
function approximation(estimate: (operand: Value) => Value, rejectsNegative: boolean): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const operand = o.let(flushed(o, b, false));
    const result = o.let(estimate(operand));
    let value = o.let(flushed(o, result, true));
    if (rejectsNegative) {
      value = o.let(blend(op(v128.f32x4Lt, operand, zeroVector), indefinite, value));
    }
    const unordered = op(v128.f32x4Ne, b, b);
    writeVector(o, operandAt(x, 0), o.let(blend(unordered, either(b, quietBit), value)));
  };
}

const reciprocal = approximation((operand) => op(v128.f32x4Div, one, operand), false);
const reciprocalRoot = approximation((operand) => op(v128.f32x4Div, one, op(v128.f32x4Sqrt, operand)), true);

/** One entry for each of the four shapes: ADDSS, ADDSD, ADDPS, ADDPD … */
function shapes<const Name extends string>(
  name: Name,
  make: (shape: LaneShape) => Semantics,
): Record<`${Name}${'ss' | 'sd' | 'ps' | 'pd'}`, Semantics> {
  const made = { [`${name}ss`]: make(ss), [`${name}sd`]: make(sd), [`${name}ps`]: make(ps), [`${name}pd`]: make(pd) };
  return made as Record<`${Name}${'ss' | 'sd' | 'ps' | 'pd'}`, Semantics>;
}

export const sseFloat = {
  ...shapes('add', (shape) => arithmetic('add', shape)),
  ...shapes('sub', (shape) => arithmetic('sub', shape)),
  ...shapes('mul', (shape) => arithmetic('mul', shape)),
  ...shapes('div', (shape) => arithmetic('div', shape)),
  ...shapes('sqrt', squareRoot),
  ...shapes('min', (shape) => selection('min', shape)),
  ...shapes('max', (shape) => selection('max', shape)),
  haddps: horizontal('add', ps),
  haddpd: horizontal('add', pd),
  hsubps: horizontal('sub', ps),
  hsubpd: horizontal('sub', pd),
  addsubps: addSubtract(ps),
  addsubpd: addSubtract(pd),
  dpps: dotProduct(ps),
  dppd: dotProduct(pd),
  rcpps: reciprocal,
  rcpss: reciprocal,
  rsqrtps: reciprocalRoot,
  rsqrtss: reciprocalRoot,
} as const satisfies Record<string, Semantics>;
