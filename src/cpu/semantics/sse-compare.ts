/** SSE floating-point comparisons. NaNs and denormals, which raise exceptions, take the slow path. SDM Vol. 2. */
import { conversion, float } from '../../wasm/expression.ts';
import { convert, v128 } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import type { LaneShape, SlowEmitter } from '../emit/float-emitter.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { knownNumber, operandAt } from './operands.ts';
import { callSlow, pd, ps, sd, slowCode, ss } from './sse-exact.ts';
import { lookAtOperands, readSource, splatFloat } from './sse-scalar.ts';
import { immediateOf, lanes, lowFloat, op, readVector, splat32, writeVector } from './vector.ts';

const equal = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Eq : v128.f32x4Eq, a, b);
const less = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Lt : v128.f32x4Lt, a, b);

/** Predicate EQ, LT, LE or UNORD of ordinary numbers, negated by bit 2. SDM Vol. 2A "CMPPD", table 3-1. */
function predicate(o: Ops, shape: LaneShape, a: Value, b: Value, immediate: Value): Value {
  const ones = lanes(8, 0xff);
  const known = knownNumber(immediate);
  const isEqual = equal(shape, a, b);
  const isLess = less(shape, a, b);
  if (known !== undefined) {
    const found = [isEqual, isLess, op(v128.or, isEqual, isLess), lanes(8, 0)][known & 3] as Value;
    return (known & 4) === 0 ? found : op(v128.xor, found, ones);
  }
  // EQ: 0, LE: 2 want equality; LT: 1, LE: 2 want less; the immediate's bits become masks.
  const bit = (condition: Value): Value => splat32(o.neg(condition));
  const low = o.let(o.and(immediate, 3));
  const wantsEqual = bit(o.isZero(o.and(low, 1)));
  const wantsLess = bit(o.and(o.xor(low, o.shrU(low, 1)), 1));
  const found = op(v128.or, op(v128.and, isEqual, wantsEqual), op(v128.and, isLess, wantsLess));
  return op(v128.xor, found, bit(o.and(o.shrU(immediate, 2), 1)));
}

/** CMPSS, CMPSD, CMPPS, CMPPD. */
function compare(shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const operands = [operandAt(x, 1), destination];
    const [b, a] = operands.map((operand) => readVector(o, operand)) as [Value, Value];
    const immediate = immediateOf(o, x);
    const result = o.variable('v128', predicate(o, shape, a, b, immediate));
    const sources = [b, a].map((vector, n) => ({ operand: operands[n] as Operand, value: compared(o, shape, vector) }));
    lookAtOperands(o, shape, sources, () => {
      o.set(result, o.rare(slowCode({ operation: 'compare', shape, a, b, immediate })));
    });
    writeVector(o, destination, o.get(result));
  };
}

/** What of a vector is compared, bound. */
const compared = (o: Ops, { double, count }: LaneShape, vector: Value): Value =>
  count === 1 ? o.let(lowFloat(vector, double ? 64 : 32)) : vector;

/**
 * How two numbers compare, as the slow path has it: 0 less, 1 equal, 2 greater, 3 unordered. i32. UCOMISx is quiet about
 * quiet NaNs.
 */
function relationOf(o: SlowEmitter, operation: 'comi' | 'ucomi', shape: LaneShape, a: Value, b: Value): Value {
  callSlow(o, { operation, shape, a: o.let(splatFloat(a)), b: o.let(splatFloat(b)) });
  return o.loadState32(state.scratch);
}

/** COMISx, UCOMISx. */
function compareToFlags(operation: 'comi' | 'ucomi', shape: LaneShape): Semantics {
  return (o: Ops, x: Form): void => {
    const sources = [operandAt(x, 1), operandAt(x, 0)].map((operand) => readSource(o, operand));
    const [b, a] = sources.map(({ value }) => o.variable(value.type, value)) as [Local, Local];
    const parameters = [o.get(a), o.get(b)];
    lookAtOperands(o, shape, sources, () => {
      const relation = o.rare({
        name: `${operation}${shape.double ? 'd' : 's'}`,
        parameters,
        result: 'i32',
        body: (s, operands) => relationOf(s, operation, shape, ...(operands as [Value, Value])),
      });
      // Numbers that stand for the relation.
      const [type, opcode] = shape.double
        ? (['f64', convert.f64FromI32S] as const)
        : (['f32', convert.f32FromI32S] as const);
      const number = (value: Value): Value => conversion(opcode, type, value);
      const unordered = float('div', number(o.i32(0)), number(o.i32(0)));
      o.set(a, o.select(o.eq(relation, 3), unordered, number(relation)));
      o.set(b, number(o.i32(1)));
    });
    o.setFlagsOrder(o.get(a), o.get(b));
  };
}

export const sseCompare = {
  cmpss: compare(ss),
  cmpsd: compare(sd),
  cmpps: compare(ps),
  cmppd: compare(pd),
  comiss: compareToFlags('comi', ss),
  comisd: compareToFlags('comi', sd),
  ucomiss: compareToFlags('ucomi', ss),
  ucomisd: compareToFlags('ucomi', sd),
} as const satisfies Record<string, Semantics>;
