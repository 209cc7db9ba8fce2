/** Bit tests and scans: BT, BTS, BTR, BTC, BSF, BSR. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form, type Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt, readSource } from './operands.ts';

const bitsLog2 = { 8: 3, 16: 4, 32: 5, 64: 6 } as const;

type Change = (o: Ops, value: Value, mask: Value) => Value;

/**
 * A bit offset in a register reaches outside the memory operand: whole operands away from it, in either direction.
 * @returns the linear address of the operand that holds the bit.
 */
function bitStringLinear(o: Ops, x: Form, offset: Value, access: 'read' | 'modify'): Value {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const shift = bitsLog2[bits];
  const signed = o.extendS(o.signExtend(offset, bits));
  const distance = o.shl(o.shrS(signed, shift), shift - 3);
  const sum = o.add(o.effectiveAddress(destination), distance);
  return o.linearOf(o.let(o.zeroExtend(sum, x.addressSize)), bits / 8, access);
}

const isBitString = (destination: Operand, offset: Operand): boolean =>
  destination.kind === 'memory' && offset.kind === 'register';

/** CF is the bit; the other flags, undefined but for ZF, which stays, all keep their values. */
function setCarryFromBit(o: Ops, value: Value, position: Value): void {
  o.setFlags({ cf: o.and(o.wrap(o.shrU(value, position)), 1) });
}

function bt(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const offset = readSource(o, operandAt(x, 1), bits);
  const value = isBitString(destination, operandAt(x, 1))
    ? o.loadMemory(bitStringLinear(o, x, offset, 'read'), bits / 8)
    : o.read(destination);
  setCarryFromBit(o, value, o.and(offset, bits - 1));
}

const bitChange =
  (change: Change): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const offset = readSource(o, operandAt(x, 1), bits);
    const position = o.let(o.and(offset, bits - 1));
    const mask = o.let(o.shl(o.constantOf(bits, 1), position));
    const changed = (value: Value): Value => change(o, value, mask);
    const old = isBitString(destination, operandAt(x, 1))
      ? o.modifyMemory(bitStringLinear(o, x, offset, 'modify'), bits / 8, changed)
      : o.modify(destination, changed);
    setCarryFromBit(o, old, position);
  };

/** BSF and BSR leave the destination, all 64 bits of it, as it was when the source is 0. ZF tells; the rest is undefined. */
const scan =
  (find: (o: Ops, value: Value, bits: Bits) => Value): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const source = o.read(operandAt(x, 1));
    o.if(o.ne(source, 0), () => o.write(destination, find(o, source, bits)));
    o.setFlagsLogic(bits, source);
  };

export const bit = {
  bt,
  bts: bitChange((o, value, mask) => o.or(value, mask)),
  btr: bitChange((o, value, mask) => o.and(value, o.not(mask))),
  btc: bitChange((o, value, mask) => o.xor(value, mask)),
  bsf: scan((o, value) => o.ctz(value)),
  bsr: scan((o, value, bits) => o.sub(o.constantOf(bits, bits === 64 ? 63 : 31), o.clz(value))),
} as const satisfies Record<string, Semantics>;
