/** BMI1, BMI2, ADX and the bit counts. Operand orders as in the VEX rows of `isa/bmi.ts`. SDM Vol. 2. */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import { type Ops, rdx, type Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';

/** POPCNT: all flags cleared but ZF. */
function popcnt(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = o.read(operandAt(x, 1));
  o.write(destination, o.popcnt(source));
  const zero = o.i32(0);
  o.setFlags({ cf: zero, pf: zero, af: zero, zf: o.let(o.isZero(source)), sf: zero, of: zero });
}

/** LZCNT and TZCNT: CF = source is 0, ZF = result is 0. */
const count =
  (result: (o: Ops, source: Value, bits: Bits) => Value): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const source = o.read(operandAt(x, 1));
    const counted = o.let(result(o, source, bits));
    o.write(destination, counted);
    o.setFlagsResult(bits, counted, { cf: o.isZero(source) });
  };

const lzcnt = count((o, source, bits) => (bits === 16 ? o.sub(o.clz(source), 16) : o.clz(source)));
const tzcnt = count((o, source, bits) => o.ctz(bits === 16 ? o.or(source, 1 << 16) : source));

/** ANDN: ~second AND third. */
function andn(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const result = o.let(o.and(o.not(o.read(operandAt(x, 1))), o.read(operandAt(x, 2))));
  o.write(destination, result);
  o.setFlagsLogic(bitsOf(destination), result);
}

/** BLSR, BLSMSK, BLSI: on the lowest set bit; CF tells whether the source is 0 (`carryIfZero`) or is not. */
const lowestBit =
  (change: (o: Ops, source: Value) => Value, carryIfZero: boolean): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const source = o.read(operandAt(x, 1));
    const result = o.let(change(o, source));
    const isZero = o.isZero(source);
    o.write(destination, result);
    o.setFlagsResult(bitsOf(destination), result, { cf: carryIfZero ? isZero : o.isZero(isZero) });
  };

/** The low `length` bits of `value`, all from `bits` on; `length` bound, of the same type. */
function lowBits(o: Ops, value: Value, length: Value, bits: Bits): Value {
  const mask = o.sub(o.shl(o.constantOf(bits, 1), length), 1);
  return o.select(o.ltU(length, bits), o.and(value, mask), value);
}

/** BEXTR: `length` bits (control[15:8]) from `start` (control[7:0]). */
function bextr(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = o.read(operandAt(x, 1));
  const control = o.read(operandAt(x, 2));
  const start = o.let(o.and(control, 0xff));
  const length = o.let(o.and(o.shrU(control, 8), 0xff));
  const shifted = o.select(o.ltU(start, bits), o.shrU(source, start), o.constantOf(bits, 0));
  const result = o.let(lowBits(o, o.let(shifted), length, bits));
  o.write(destination, result);
  o.setFlagsLogic(bits, result);
}

/** BZHI: clears the bits from `index` on; CF tells whether there were none. */
function bzhi(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const bits = bitsOf(destination);
  const source = o.read(operandAt(x, 1));
  const length = o.let(o.and(o.read(operandAt(x, 2)), 0xff));
  const result = o.let(lowBits(o, source, length, bits));
  o.write(destination, result);
  o.setFlagsResult(bits, result, { cf: o.geU(length, bits) });
}

/** MULX: rDX × source; the high half to the first destination, which wins if both are one register. No flags. */
function mulx(o: Ops, x: Form): void {
  const high = operandAt(x, 0);
  const bits = bitsOf(high);
  const factor = o.read(operandAt(x, 2));
  const other = o.gpr(rdx, bits);
  if (bits === 64) {
    const upper = o.mulHighU(factor, other);
    o.write(operandAt(x, 1), o.mul(factor, other));
    o.write(high, upper);
    return;
  }
  const product = o.let(o.mul(o.extendU(factor), o.extendU(other)));
  o.write(operandAt(x, 1), o.wrap(product));
  o.write(high, o.wrap(o.shrU(product, 32)));
}

/** PDEP (`deposit`) and PEXT: one round per bit of the mask. */
const scatterGather =
  (deposit: boolean): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const source = o.read(operandAt(x, 1));
    const type = bits === 64 ? 'i64' : 'i32';
    const mask = o.variable(type, o.read(operandAt(x, 2)));
    const single = o.variable(type, o.constantOf(bits, 1));
    const result = o.variable(type, o.constantOf(bits, 0));
    o.block((leave) => {
      o.loop((again) => {
        o.branchIf(o.isZero(o.get(mask)), leave);
        const lowest = o.let(o.and(o.get(mask), o.neg(o.get(mask))));
        const [from, to] = deposit ? [o.get(single), lowest] : [lowest, o.get(single)];
        const taken = o.select(o.isZero(o.and(source, from)), o.constantOf(bits, 0), to);
        o.set(result, o.or(o.get(result), taken));
        o.set(mask, o.xor(o.get(mask), lowest));
        o.set(single, o.shl(o.get(single), 1));
        o.branch(again);
      });
    });
    o.write(destination, o.get(result));
  };

/** RORX, SARX, SHLX, SHRX: without flags; the count modulo the width. */
const flagless =
  (shift: (o: Ops, value: Value, count: Value) => Value): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const source = o.read(operandAt(x, 1));
    const amount = operandAt(x, 2);
    const counted = o.resizeU(o.read(amount), amount.bits, destination.bits);
    o.write(destination, shift(o, source, counted));
  };

/** ADCX and ADOX: addition with one flag as carry in and out. */
const addCarry =
  (name: 'cf' | 'of'): Semantics =>
  (o, x) => {
    const destination = operandAt(x, 0);
    const bits = bitsOf(destination);
    const a = o.read(destination);
    const b = o.read(operandAt(x, 1));
    const carry = o.let(name === 'cf' ? o.cf() : o.of());
    const partial = o.let(o.add(a, b));
    const sum = o.let(o.add(partial, bits === 64 ? o.extendU(carry) : carry));
    o.write(destination, sum);
    o.setFlags({ [name]: o.or(o.ltU(partial, a), o.ltU(sum, partial)) });
  };

export const bmi = {
  popcnt,
  lzcnt,
  tzcnt,
  andn,
  blsr: lowestBit((o, source) => o.and(source, o.sub(source, 1)), true),
  blsmsk: lowestBit((o, source) => o.xor(source, o.sub(source, 1)), true),
  blsi: lowestBit((o, source) => o.and(source, o.neg(source)), false),
  bextr,
  bzhi,
  mulx,
  pdep: scatterGather(true),
  pext: scatterGather(false),
  rorx: flagless((o, value, counted) => o.rotr(value, counted)),
  sarx: flagless((o, value, counted) => o.shrS(value, counted)),
  shlx: flagless((o, value, counted) => o.shl(value, counted)),
  shrx: flagless((o, value, counted) => o.shrU(value, counted)),
  adcx: addCarry('cf'),
  adox: addCarry('of'),
} as const satisfies Record<string, Semantics>;
