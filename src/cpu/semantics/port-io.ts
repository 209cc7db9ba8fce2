/** IN, OUT, INS, OUTS. The slow paths check IOPL and the I/O permission bitmap. SDM Vol. 1 19.5. */

import type { Value } from '../../wasm/types.ts';
import { bitsOf, type Form, type Operand } from '../emit/form.ts';
import { type Ops, rdx, type Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';
import { operandAt } from './operands.ts';
import { destination, elementOf, repeat, source } from './string.ts';

/** The port: an immediate byte, zero-extended, or DX. */
const portOf = (o: Ops, operand: Operand): Value =>
  operand.kind === 'immediate' ? o.immediate(operand, 8) : o.read(operand);

/** What the slow path read, as an operand of `bits`. */
const result = (o: Ops, bits: number): Value => o.zeroExtend(o.loadState32(state.scratch), bits);

function input(o: Ops, x: Form): void {
  const target = operandAt(x, 0);
  o.host('in', portOf(o, operandAt(x, 1)), o.i32(target.bits / 8));
  o.write(target, o.let(result(o, target.bits)));
}

function output(o: Ops, x: Form): void {
  const value = operandAt(x, 1);
  o.host('out', portOf(o, operandAt(x, 0)), o.i32(value.bits / 8), o.read(value));
}

function ins(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const to = destination(o, x, element, 'write');
  const port = o.gpr(rdx, 16);
  // Even with nothing to repeat.
  o.host('check-io', port, o.i32(element.bytes));
  repeat(o, x, {
    cleared: [],
    round: () => {
      // The destination must be writable before the device gives its datum away.
      o.modifyMemory(to.linear(), element.bytes, () => {
        o.host('in', port, o.i32(element.bytes));
        return result(o, element.bits);
      });
      to.advance();
      return undefined;
    },
  });
}

function outs(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 1)));
  const from = source(o, x, element);
  const port = o.gpr(rdx, 16);
  // Even with nothing to repeat.
  o.host('check-io', port, o.i32(element.bytes));
  repeat(o, x, {
    cleared: [],
    round: () => {
      const value = o.loadMemory(from.linear(), element.bytes);
      o.host('out', port, o.i32(element.bytes), value);
      from.advance();
      return undefined;
    },
  });
}

export const portIo = { in: input, out: output, ins, outs } as const satisfies Record<string, Semantics>;
