/** SSE floating-point comparisons. NaNs and denormals, which raise exceptions, take the slow path. SDM Vol. 2. */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape } from '../emit/float-emitter.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { knownNumber, operandAt } from './operands.ts';
import { both, callSlow, fastOrSlow, holds, isOrdinary, magnitudeOf, pd, ps, sd, ss } from './sse-exact.ts';
import { immediateOf, lanes, low32, op, readVector, splat32, writeVector } from './vector.ts';

const equal = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Eq : v128.f32x4Eq, a, b);
const less = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Lt : v128.f32x4Lt, a, b);

const ordinary = (o: Ops, shape: LaneShape, a: Value, b: Value): Value =>
  holds(o, shape, both(isOrdinary(magnitudeOf(o, shape, a)), isOrdinary(magnitudeOf(o, shape, b))));

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

function compare(shape: LaneShape): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, destination);
    const immediate = immediateOf(o, x);
    const fast = predicate(o, shape, a, b, immediate);
    const call = { operation: 'compare', shape, a, b, immediate } as const;
    writeVector(o, destination, fastOrSlow(o, ordinary(o, shape, a, b), fast, call));
  };
}

/** COMISx, UCOMISx: less CF, equal ZF, unordered ZF, PF and CF; the other status flags 0. */
function compareToFlags(operation: 'comi' | 'ucomi', shape: LaneShape): Semantics {
  return (o: Ops, x: Form): void => {
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, operandAt(x, 0));
    // As `relation` of the slow path has it: 0 less, 1 equal, 2 greater, 3 unordered.
    const found = o.variable('i32');
    o.ifLikely(
      ordinary(o, shape, a, b),
      () => {
        const isLess = o.and(low32(less(shape, a, b)), 2);
        o.set(found, o.sub(o.sub(o.i32(2), isLess), o.and(low32(equal(shape, a, b)), 1)));
      },
      () => {
        callSlow(o, { operation, shape, a, b });
        o.set(found, o.loadState32(state.scratch));
      },
    );
    const relation = o.get(found);
    const unordered = o.let(o.eq(relation, 3));
    const none = o.i32(0);
    o.setFlags({
      cf: o.or(o.isZero(relation), unordered),
      zf: o.and(relation, 1),
      pf: unordered,
      sf: none,
      of: none,
      af: none,
    });
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
