/** Decimal adjustment: AAA, AAS, AAD, AAM, DAA, DAS (not in 64-bit mode). Undefined flags are cleared. SDM Vol. 2. */
import { vector } from '../../spec/x86/exceptions.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import { type Ops, rax, type Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

/** Does the low digit need adjustment? i32 0 or 1, bound. */
const lowDigitAdjust = (o: Ops, al: Value): Value => o.let(o.or(o.gtU(o.and(al, 15), 9), o.af()));

/** DAA and DAS: ±6 for the low digit, ±60H for the high one. */
const decimalAdjust =
  (sign: 1 | -1): Semantics =>
  (o) => {
    const al = o.gpr(rax, 8);
    const low = lowDigitAdjust(o, al);
    const high = o.let(o.or(o.gtU(al, 0x99), o.cf()));
    const adjusted = o.let(o.add(al, o.mul(o.add(o.mul(low, 6), o.mul(high, 0x60)), sign)));
    // DAS leaves CF set by the borrow of its first step; DAA's first step cannot carry unless the second adjusts, too.
    const borrow = o.and(low, o.ltU(al, 6));
    const cf = sign === 1 ? high : o.let(o.or(high, borrow));
    o.setGpr(rax, 8, adjusted);
    o.setFlagsResult(8, adjusted, { cf, af: low });
  };

/** AAA: AX += 106H. AAS: AX -= 6, then AH -= 1. */
const asciiAdjust =
  (sign: 1 | -1): Semantics =>
  (o) => {
    const ax = o.gpr(rax, 16);
    const adjust = lowDigitAdjust(o, ax);
    const sum = o.add(ax, o.mul(adjust, sign * 0x106));
    const result = o.let(o.and(sum, 0xff0f));
    o.setGpr(rax, 16, result);
    o.setFlagsResult(8, result, { cf: adjust, af: adjust });
  };

/** AAM: AH = AL / base, AL = AL mod base. */
function aam(o: Ops, x: Form): void {
  const base = o.let(o.immediate(operandAt(x, 0), 8));
  o.ifUnlikely(o.isZero(base), () => o.raise(vector.de));
  const al = o.gpr(rax, 8);
  const quotient = o.let(o.divU(al, base));
  const remainder = o.let(o.sub(al, o.mul(quotient, base)));
  o.setGpr(rax, 16, o.or(o.shl(quotient, 8), remainder));
  o.setFlagsLogic(8, remainder);
}

/** AAD: AL = AL + AH × base, AH = 0. */
function aad(o: Ops, x: Form): void {
  const base = o.immediate(operandAt(x, 0), 8);
  const product = o.mul(o.gpr(rax + 1, 8), base);
  const result = o.let(o.and(o.add(o.gpr(rax, 8), product), 0xff));
  o.setGpr(rax, 16, result);
  o.setFlagsLogic(8, result);
}

export const bcd = {
  daa: decimalAdjust(1),
  das: decimalAdjust(-1),
  aaa: asciiAdjust(1),
  aas: asciiAdjust(-1),
  aam,
  aad,
} as const satisfies Record<string, Semantics>;
