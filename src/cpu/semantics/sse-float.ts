/** SSE floating-point arithmetic: `sse-exact.ts` tells when WebAssembly's own will do. SDM Vol. 2. */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape } from '../emit/float-emitter.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import {
  addSubtract,
  arithmetic,
  horizontal,
  isPlain,
  laneBits,
  onLanes,
  selection,
  squareRoot,
} from './sse-arithmetic.ts';
import {
  both,
  either,
  exponentBetween,
  fastOrSlow,
  holds,
  inexactIsSilent,
  magnitudeOf,
  pd,
  ps,
  sd,
  ss,
} from './sse-exact.ts';
import {
  blend,
  immediateOf,
  lanes,
  op,
  readVector,
  shuffle,
  splat32,
  splat64,
  writeVector,
  zeroVector,
} from './vector.ts';

/** Ones in the lanes whose bit of the immediate, from `firstBit` on, is set. */
function immediateMask(o: Ops, shape: LaneShape, immediate: Value, firstBit: number): Value {
  const bits = Array.from({ length: shape.count }, (_, n) => 1 << (firstBit + n));
  const chosen = lanes(laneBits(shape), ...bits);
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
    const products = o.let(both(onLanes('mul', shape, p, q), wanted));
    let plain = o.let(isPlain(o, 'mul', shape, p, q, products));
    let sum = products;
    for (const turn of shape.double ? [neighbours] : [neighbours, halfTurn]) {
      const other = o.let(shuffle(sum, sum, turn));
      const next = o.let(onLanes('add', shape, sum, other));
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
