/**
 * SSE/SSE2 scalar arithmetic, min/max, square root, comparison. SDM Vol. 1, 11.5 and appendix E; Vol. 2 per instruction.
 * `format` is `binary32` or `binary64`. Packed instructions call these per element (`mergePackedFlags`).
 */

import { floatException } from '../../spec/x86/floating-point.ts';
import {
  addOperands,
  type BinaryOperation,
  checkDenormal,
  divideOperands,
  multiplyOperands,
  type Outcome,
  squareRootOperand,
  subtractOperands,
} from './arithmetic.ts';
import { type FloatContext, raise } from './context.ts';
import { type Format, packIndefinite, packInfinity, packZero } from './format.ts';
import { propagateSse } from './nan.ts';
import { compareOperands, type Relation, relation } from './relation.ts';
import { roundSse } from './round.ts';
import { isNaNKind, kind, type Unpacked, zero } from './unpacked.ts';

/** Unpacks an SSE operand: under DAZ a denormal is a zero of its sign. */
export function unpackSse<T>(context: FloatContext, format: Format<T>, bits: T): Unpacked {
  const value = format.unpack(bits);
  return context.daz && value.denormal ? zero(value.sign) : value;
}

function finish<T>(context: FloatContext, format: Format<T>, outcome: Outcome): T {
  switch (outcome.kind) {
    case 'value':
      return roundSse(context, format, outcome.sign, outcome.value);
    case 'infinity':
      return packInfinity(format, outcome.sign);
    case 'invalid':
      return packIndefinite(format);
    case 'aborted':
      return packZero(format, 0);
  }
}

function binary<T>(context: FloatContext, format: Format<T>, a: T, b: T, operation: BinaryOperation): T {
  const first = unpackSse(context, format, a);
  const second = unpackSse(context, format, b);
  if (isNaNKind(first) || isNaNKind(second)) return propagateSse(context, format, first, second);
  return finish(context, format, operation(context, first, second));
}

/** ADDSS/ADDSD. */
export function sseAdd<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return binary(context, format, a, b, addOperands);
}

/** SUBSS/SUBSD: a - b. */
export function sseSubtract<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return binary(context, format, a, b, subtractOperands);
}

/** MULSS/MULSD. */
export function sseMultiply<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return binary(context, format, a, b, multiplyOperands);
}

/** DIVSS/DIVSD: a / b. */
export function sseDivide<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return binary(context, format, a, b, divideOperands);
}

/** SQRTSS/SQRTSD. */
export function sseSquareRoot<T>(context: FloatContext, format: Format<T>, a: T): T {
  const operand = unpackSse(context, format, a);
  if (isNaNKind(operand)) return propagateSse(context, format, operand, operand);
  return finish(context, format, squareRootOperand(context, operand));
}

/** Raises what a comparison raises. @returns whether it must stop. */
function checkCompared(context: FloatContext, a: Unpacked, b: Unpacked, isSignaling: boolean): boolean {
  if (isNaNKind(a) || isNaNKind(b)) {
    const anySignaling = a.kind === kind.signalingNaN || b.kind === kind.signalingNaN;
    return (isSignaling || anySignaling) && raise(context, floatException.invalid);
  }
  return checkDenormal(context, a, b);
}

function pick<T>(context: FloatContext, format: Format<T>, a: T, b: T, wanted: Relation): T {
  const first = unpackSse(context, format, a);
  const second = unpackSse(context, format, b);
  const flushed = (value: Unpacked, bits: T): T => (value.kind === kind.zero ? packZero(format, value.sign) : bits);
  if (checkCompared(context, first, second, true)) return b;
  return compareOperands(first, second) === wanted ? flushed(first, a) : flushed(second, b);
}

/** MINSS/MINSD: a if a < b, else b (so b for NaNs and equal zeros); any NaN is #IA. The NaN is returned unquieted. */
export function sseMin<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return pick(context, format, a, b, relation.less);
}

/** MAXSS/MAXSD: a if a > b, else b. */
export function sseMax<T>(context: FloatContext, format: Format<T>, a: T, b: T): T {
  return pick(context, format, a, b, relation.greater);
}

/** COMISS/COMISD (`isSignaling`: a QNaN is #IA too) and UCOMISS/UCOMISD. */
export function sseCompare<T>(context: FloatContext, format: Format<T>, a: T, b: T, isSignaling: boolean): Relation {
  const first = unpackSse(context, format, a);
  const second = unpackSse(context, format, b);
  checkCompared(context, first, second, isSignaling);
  return compareOperands(first, second);
}

/**
 * CMPSS/CMPSD: whether predicate `immediate` (its low 3 bits: EQ LT LE UNORD NEQ NLT NLE ORD) holds. LT, LE, NLT and NLE
 * signal QNaNs. SDM Vol. 2A "CMPPD", table 3-1.
 */
export function ssePredicate<T>(context: FloatContext, format: Format<T>, a: T, b: T, immediate: number): boolean {
  const predicate = immediate & 3;
  const found = sseCompare(context, format, a, b, predicate === 1 || predicate === 2);
  const holds =
    predicate === 0
      ? found === relation.equal
      : predicate === 1
        ? found === relation.less
        : predicate === 2
          ? found === relation.less || found === relation.equal
          : found === relation.unordered;
  return (immediate & 4) === 0 ? holds : !holds;
}
