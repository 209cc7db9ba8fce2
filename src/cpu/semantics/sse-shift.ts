/** Shifts of MMX and SSE lanes and registers. Counts beyond the width give zeros (or signs). SDM Vol. 2 "PSLLW" … */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { knownNumber, operandAt } from './operands.ts';
import { iota, low64, op, readVector, shuffle, splat8, swizzle, writeVector, zeroVector } from './vector.ts';

/** The count: an immediate byte, or the low 64 bits of the source; as an i32 that is at most `limit`. Bound. */
function countOf(o: Ops, x: Form, limit: number): Value {
  const source = operandAt(x, 1);
  if (source.kind === 'immediate') {
    const count = o.let(o.immediate(source, 8));
    const known = knownNumber(count);
    if (known !== undefined) return o.i32(Math.min(known, limit));
    return o.let(o.select(o.gtU(count, limit), o.i32(limit), count));
  }
  const count = o.let(low64(readVector(o, source)));
  return o.let(o.select(o.gtU(count, limit), o.i32(limit), o.wrap(count)));
}

function logical(opcode: number, bits: number): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const count = countOf(o, x, bits);
    const shifted = op(opcode, readVector(o, destination), count);
    const known = knownNumber(count);
    if (known !== undefined) writeVector(o, destination, known === bits ? zeroVector : shifted);
    else writeVector(o, destination, o.let(o.select(o.eq(count, bits), zeroVector, shifted)));
  };
}

function arithmetic(opcode: number, bits: number): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const count = countOf(o, x, bits - 1);
    writeVector(o, destination, op(opcode, readVector(o, destination), count));
  };
}

/** PSLLDQ, PSRLDQ: the register by bytes. An index that leaves 0–15 on either side chooses a zero. */
function byBytes(add: number): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const count = countOf(o, x, 16);
    const known = knownNumber(count);
    if (known !== undefined) {
      const first = add === v128.i8x16Add ? known : 16 - known;
      const [low, high] =
        add === v128.i8x16Add ? [readVector(o, destination), zeroVector] : [zeroVector, readVector(o, destination)];
      const bytes = Array.from({ length: 16 }, (_, n) => first + n);
      o.write(destination, shuffle(low, high, bytes));
      return;
    }
    o.write(destination, swizzle(readVector(o, destination), op(add, iota, splat8(count))));
  };
}

export const sseShift = {
  psllw: logical(v128.i16x8Shl, 16),
  pslld: logical(v128.i32x4Shl, 32),
  psllq: logical(v128.i64x2Shl, 64),
  psrlw: logical(v128.i16x8ShrU, 16),
  psrld: logical(v128.i32x4ShrU, 32),
  psrlq: logical(v128.i64x2ShrU, 64),
  psraw: arithmetic(v128.i16x8ShrS, 16),
  psrad: arithmetic(v128.i32x4ShrS, 32),
  pslldq: byBytes(v128.i8x16Sub),
  psrldq: byBytes(v128.i8x16Add),
} as const satisfies Record<string, Semantics>;
