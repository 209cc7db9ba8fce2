/**
 * SSE operations on single numbers: WebAssembly's own instruction, and integer comparisons that tell whether anything but
 * its result could be seen. What they do not let pass, zeros among it, `sse-exact.ts` looks at elsewhere.
 */
import { float } from '../../wasm/expression.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import { encodingOf } from '../emit/flags.ts';
import { areTiny, isTiny, type LaneShape, laneSigns, type RareCode } from '../emit/float-emitter.ts';
import type { Operand } from '../emit/form.ts';
import type { Ops } from '../emit/ops.ts';
import { op, readScalar } from './vector.ts';

/** An operand and what was read from it. */
export interface Source {
  readonly operand: Operand;
  readonly value: Value;
}

export const readSource = (o: Ops, operand: Operand): Source => ({ operand, value: readScalar(o, operand) });

export const floatType = ({ double }: LaneShape): 'f32' | 'f64' => (double ? 'f64' : 'f32');

/** A number in all lanes. */
export const splatFloat = (value: Value): Value => op(value.type === 'f64' ? v128.f64x2Splat : v128.f32x4Splat, value);

/**
 * i32: `result` may be other than plain. Its exponent, at the top of 32 bits, is compared with the limit, and is odd, so that
 * it is not below `inexact`. The least binade is not in the range, for numbers that are tiny before they are rounded may get
 * there.
 */
function isOdd(o: Ops, result: Value): Value {
  const encoding = encodingOf(result);
  const double = result.type === 'f64';
  const high = o.shl(double ? o.wrap(o.shrU(encoding, 32)) : encoding, 1);
  return o.geU(o.sub(high, (double ? 2 << 21 : 2 << 24) - 1), o.floatLimit());
}

export interface ScalarOperation {
  readonly shape: LaneShape;
  /** Of the result; `shape` unless it is said. */
  readonly resultShape?: LaneShape;
  readonly destination: Operand;
  /** Operands that raise #D if they are denormal. */
  readonly sources: readonly Source[];
  readonly fast: Value;
  /** The result is rounded; it must be plain, and MXCSR may forbid the fast way. */
  readonly rounds: boolean;
  /** i32: what else calls for rare code. */
  readonly conditions?: readonly Value[];
  readonly rare: RareCode;
}

/** The sources that nothing is known of, each register once. */
function unknownSources(o: Ops, shape: LaneShape, sources: readonly Source[]): Source[] {
  const unknown = sources.filter(({ operand }) => !o.isTame(operand, shape));
  return unknown.filter(
    ({ operand }, n) => !unknown.slice(0, n).some((other) => o.isSameRegister(other.operand, operand)),
  );
}

/** i32: conditions under which a comparison of these numbers, or vectors of numbers, raises something. */
function comparisonChecks(o: Ops, shape: LaneShape, sources: readonly Source[], unknown: readonly Source[]): Value[] {
  const { double, count } = shape;
  if (count === 1) {
    const tiny = unknown.map(({ value }) => isTiny(o, value));
    return [...tiny, ...sources.map(({ value }) => float('ne', value, value))];
  }
  const unordered = sources.map(({ value }) => op(double ? v128.f64x2Ne : v128.f32x4Ne, value, value));
  const odd = [...unknown.map(({ value }) => areTiny(o, shape, value)), ...unordered];
  return [
    laneSigns(
      shape,
      odd.reduce((a, b) => op(v128.or, a, b)),
    ),
  ];
}

/** Runs rare code if an operand of a comparison is denormal or NaN, and notes that they are tame. */
export function lookAtOperands(o: Ops, shape: LaneShape, sources: readonly Source[], rare: () => void): void {
  const unknown = unknownSources(o, shape, sources);
  const conditions = comparisonChecks(o, shape, sources, unknown);
  if (unknown.length < sources.length) conditions.push(o.isZero(o.floatLimit()));
  o.ifAny(conditions, () => {
    rare();
    const kept = unknown.filter(({ operand }) => operand.kind === 'xmm').map(({ value }) => value);
    o.lowerFloatLimit(shape, kept);
  });
  for (const { operand } of sources) o.noteTame(operand, shape);
}

/** Runs an operation, and notes that its result and operands are tame. */
export function scalarOperation(o: Ops, operation: ScalarOperation): void {
  const { shape, resultShape = shape, destination, sources, fast, rare } = operation;
  const unknown = unknownSources(o, shape, sources);
  const result = o.variable(fast.type, fast);
  const conditions = [...unknown.map(({ value }) => isTiny(o, value)), ...(operation.conditions ?? [])];
  if (operation.rounds) conditions.push(isOdd(o, o.get(result)));
  else if (unknown.length < sources.length) conditions.push(o.isZero(o.floatLimit()));
  o.ifAny(conditions, () => {
    o.set(result, o.rare(rare));
    const kept = unknown.filter(({ operand }) => operand.kind === 'xmm' && !o.isSameRegister(operand, destination));
    o.lowerFloatLimit(
      shape,
      kept.map(({ value }) => value),
    );
    o.lowerFloatLimit(resultShape, [o.get(result)]);
  });
  for (const { operand } of sources) o.noteTame(operand, shape);
  o.write(destination, o.get(result));
  o.noteTame(destination, resultShape);
}
