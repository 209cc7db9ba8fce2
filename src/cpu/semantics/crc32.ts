/** CRC32: the Castagnoli polynomial, bits reflected. SDM Vol. 2 "CRC32". */
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

/** 11EDC6F41H without its top bit, reflected. */
const reflectedPolynomial = 0x82f6_3b78;

/** Feeds up to 32 zero-extended message bits to the checksum; a loop over them. */
function feed(o: Ops, checksum: Value, message: Value, bits: number): Value {
  const remainder = o.variable('i32', o.xor(checksum, message));
  const left = o.variable('i32', o.i32(bits));
  o.loop((again) => {
    const lowest = o.and(o.get(remainder), 1);
    o.set(remainder, o.xor(o.shrU(o.get(remainder), 1), o.and(o.neg(lowest), reflectedPolynomial | 0)));
    o.set(left, o.sub(o.get(left), 1));
    o.branchIf(o.get(left), again);
  });
  return o.get(remainder);
}

/** CRC32: the destination's low half is the checksum; a 64-bit destination's upper half becomes 0. */
function crc32(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const operand = operandAt(x, 1);
  const message = o.read(operand);
  const checksum = o.wrap(o.read(destination));
  const fed =
    operand.bits === 64
      ? feed(o, feed(o, checksum, o.wrap(message), 32), o.wrap(o.shrU(message, 32)), 32)
      : feed(o, checksum, message, operand.bits);
  o.write(destination, o.resizeU(fed, 32, destination.bits));
}

export const crc = { crc32 } as const satisfies Record<string, Semantics>;
