/**
 * SSE operations on vectors of numbers, as `sse-scalar.ts` does them on single ones. Whether a lane is plain is told by masks
 * in the sign bits of lanes, for what decides is in the top 32 bits of a lane. Zeros are common in vectors: they pass.
 */
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import { areTiny, floatLimit, type LaneShape, laneSigns, type RareCode } from '../emit/float-emitter.ts';
import type { Operand } from '../emit/form.ts';
import type { Ops } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { either } from './sse-exact.ts';
import type { Source } from './sse-scalar.ts';
import { andNot, lanes, op } from './vector.ts';

export interface PackedOperation {
  readonly shape: LaneShape;
  readonly destination: Operand;
  /** Operands that raise #D if a lane is denormal. */
  readonly sources: readonly Source[];
  /** The sources' values are not their operands', but have all of those's lanes. */
  readonly mixed?: boolean;
  readonly fast: Value;
  /**
   * Of results that are rounded: they must be plain, and MXCSR may forbid the fast way. Lane masks: what is plain although
   * the exponent does not tell, and what is certainly exact.
   */
  readonly rounded?: {
    readonly accepted: (result: Value) => Value;
    readonly exact?: (result: Value) => Value | undefined;
  };
  /** Lane mask: what calls for rare code. */
  readonly odd?: Value;
  readonly rare: RareCode;
}

/** As `isOdd`: exponents of the two least binades and of infinity are out of the range, which is moved to all numbers. */
const inRange = {
  double: { bias: lanes(32, 0x8000_0000 - (2 << 21)), limit: lanes(32, 0x7d00_0000) },
  single: { bias: lanes(32, 0x8000_0000 - (2 << 24)), limit: lanes(32, 0x7d00_0000) },
} as const;

function arePlain(o: Ops, { double }: LaneShape, result: Value): Value {
  const { bias, limit } = inRange[double ? 'double' : 'single'];
  const moved = op(v128.i32x4Add, op(v128.i32x4Add, result, result), o.shared(bias));
  return op(v128.i32x4GtS, o.shared(limit), moved);
}

const allLanes = ({ count }: LaneShape): number => (1 << count) - 1;

/** Runs an operation, and notes that its result and operands are tame. */
export function packedOperation(o: Ops, operation: PackedOperation): void {
  const { shape, destination, sources, mixed, fast, rounded, rare } = operation;
  const unknown = sources.filter(({ operand }) => !o.isTame(operand, shape));
  const checked = mixed === true && unknown.length > 0 ? sources : unknown;
  const result = o.variable('v128', fast);
  const odd = [
    ...checked.map(({ value }) => areTiny(o, shape, value)),
    ...(operation.odd === undefined ? [] : [operation.odd]),
  ];
  const found = odd.length === 0 ? undefined : odd.reduce(either);
  const conditions: Value[] = [];
  if (rounded !== undefined) {
    const plain = either(arePlain(o, shape, o.get(result)), rounded.accepted(o.get(result)));
    conditions.push(o.ne(laneSigns(shape, found === undefined ? plain : andNot(plain, found)), allLanes(shape)));
  } else {
    if (found !== undefined) conditions.push(laneSigns(shape, found));
    if (unknown.length < sources.length) conditions.push(o.isZero(o.floatLimit()));
  }
  const unless = rounded && {
    mostly: o.gtU(o.floatLimit(), floatLimit.inexact),
    otherwise: exactness(o, operation, o.get(result)),
  };
  o.ifAny(
    conditions,
    () => {
      o.set(result, o.rare(rare));
      const kept = checked.filter(({ operand }) => operand.kind === 'xmm');
      o.lowerFloatLimit(shape, [...kept.map(({ value }) => value), o.get(result)]);
    },
    unless,
  );
  for (const { operand } of sources) o.noteTame(operand, shape);
  o.write(destination, o.get(result));
  o.noteTame(destination, shape);
}

/** With rounding to nearest, exact results show nowhere, either. */
function exactness(o: Ops, { shape, rounded }: PackedOperation, result: Value): Value[] {
  const mask = rounded?.exact?.(result);
  if (mask === undefined) return [];
  const exact = o.eq(laneSigns(shape, mask), allLanes(shape));
  const toNearest = o.isZero(o.and(o.loadState32(state.mxcsr), mxcsr.roundingMask));
  return [o.floatLimit(), toNearest, exact];
}
