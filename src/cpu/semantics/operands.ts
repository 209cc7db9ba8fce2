/** What most families need of a form: its operands, checked, and sources at the destination's width. */
import { isConstant } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops } from '../emit/ops.ts';

/** Operand `position` of the form; a row without it is a defect of the table. */
export function operandAt(x: Form, position: number): Operand {
  const operand = x.operands[position];
  if (operand === undefined) throw new Error(`${x.row.mnemonic} has no operand ${position}`);
  return operand;
}

/** Reads a source as wide as the destination: an immediate is sign-extended from its encoded width. Bound. */
export function readSource(o: Ops, source: Operand, bits: number): Value {
  return source.kind === 'immediate' ? o.let(o.immediate(source, bits)) : o.read(source);
}

/** The number that `value` is known to be while code is emitted, if it is. */
export function knownNumber(value: Value): number | undefined {
  return isConstant(value) ? Number(value.immediate) : undefined;
}

/** The slow paths' ranges are canonical: an access to any other address faults. */
export function requireCanonical(o: Ops, linear: Value): void {
  if (!o.long) return;
  const canonical = o.shrS(o.shl(linear, 16), 16);
  o.ifUnlikely(o.ne(canonical, linear), () => {
    o.loadMemory(linear, 1);
  });
}
