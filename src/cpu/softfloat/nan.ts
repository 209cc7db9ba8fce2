/** Which NaN an operation returns. SDM Vol. 1 tables 4-7 (x87, SSE) and 4.8.3.5. */

import { floatException } from '../../spec/x86/floating-point.ts';
import { type FloatContext, raise } from './context.ts';
import { extended, type F80, type Format, packIndefinite, packNaN } from './format.ts';
import { isNaNKind, kind, quietBit, type Unpacked } from './unpacked.ts';

/** Quiets `value`, a NaN, in `format`. */
export function quieted<T>(format: Format<T>, value: Unpacked): T {
  return packNaN(format, value.sign, value.significand | quietBit);
}

/** #IA with the masked response of a numeric operation. */
export function invalid<T>(context: FloatContext, format: Format<T>): T {
  raise(context, floatException.invalid);
  return packIndefinite(format);
}

/** SSE: the first operand if it is a NaN, else the second, quieted. At least one is a NaN. */
export function propagateSse<T>(context: FloatContext, format: Format<T>, a: Unpacked, b: Unpacked): T {
  if (a.kind === kind.signalingNaN || b.kind === kind.signalingNaN) raise(context, floatException.invalid);
  return quieted(format, isNaNKind(a) ? a : b);
}

/** x87, one operand that is a NaN or unsupported. */
export function propagateX87Single(context: FloatContext, a: Unpacked): F80 {
  if (a.kind === kind.unsupported) return invalid(context, extended);
  if (a.kind === kind.signalingNaN) raise(context, floatException.invalid);
  return quieted(extended, a);
}

/**
 * x87: two operands of which at least one is a NaN or unsupported. Of two NaNs of one kind the larger significand wins, of
 * equal ones the positive; of an SNaN and a QNaN the QNaN.
 */
export function propagateX87(context: FloatContext, a: Unpacked, b: Unpacked): F80 {
  if (a.kind === kind.unsupported || b.kind === kind.unsupported) return invalid(context, extended);
  const anySignaling = a.kind === kind.signalingNaN || b.kind === kind.signalingNaN;
  if (anySignaling) raise(context, floatException.invalid);
  if (!isNaNKind(a)) return quieted(extended, b);
  if (!isNaNKind(b)) return quieted(extended, a);
  if (a.kind !== b.kind) return quieted(extended, a.kind === kind.quietNaN ? a : b);
  if (a.significand !== b.significand) return quieted(extended, a.significand > b.significand ? a : b);
  return quieted(extended, a.sign <= b.sign ? a : b);
}
