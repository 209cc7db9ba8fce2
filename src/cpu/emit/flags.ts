/**
 * The status flags, lazily. Two words hold all six (state.flagResult, state.flagAux):
 *
 *     result  i64, sign-extended:  ZF = (result == 0); SF = sign(result) ^ aux[0]; PF = even parity of result[7:0] ^ aux[15:8]
 *     aux     i32:  [31] CF, [30] CF ^ OF, [3] AF, [15:8] correction of PF, [0] correction of SF
 *
 * After additions and subtractions, aux holds the top two bits and bit 3 of the vector of carries; the corrections are
 * zero unless flags were set one by one. SDM Vol. 1 3.4.3.1.
 *
 * Lazier still, translated code may leave nothing but the two operands that all six follow from (`Deferred`).
 */
import { conversion, float, integer } from '../../wasm/expression.ts';
import { convert } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import { state } from '../state/layout.ts';
import { type Bits, Emitter } from './emitter.ts';

/** Flags as i32 values 0 or 1. */
export interface FlagValues {
  cf?: Value;
  pf?: Value;
  af?: Value;
  zf?: Value;
  sf?: Value;
  of?: Value;
}

const topBits = 0xc000_0000 | 0;

/**
 * What all flags follow from, by operands a and b: `logic` a is the result; `add`, `sub` a and b; `inc`, `dec` the result
 * and CF of before; shifts the operand and a count other than 0; `order` two floating-point numbers that were compared.
 */
export const deferredOperations = ['logic', 'add', 'sub', 'inc', 'dec', 'shl', 'shr', 'sar', 'order'] as const;
export type DeferredOperation = (typeof deferredOperations)[number];
export type ShiftOperation = 'shl' | 'shr' | 'sar';

export interface Deferred {
  readonly operation: DeferredOperation;
  readonly bits: Bits;
  /** As state.flagKind has it; 0 stands for flags that are not deferred. */
  readonly number: number;
}

const widths: readonly Bits[] = [8, 16, 32, 64];
const floatWidths: readonly Bits[] = [32, 64];

export const deferredKinds: readonly Deferred[] = deferredOperations
  .flatMap((operation) => (operation === 'order' ? floatWidths : widths).map((bits) => ({ operation, bits })))
  .map((kind, position) => ({ ...kind, number: 1 + position }));

export const deferredKind = (operation: DeferredOperation, bits: Bits): Deferred =>
  deferredKinds.find((kind) => kind.operation === operation && kind.bits === bits) as Deferred;

/** A floating-point number as the integer that encodes it, and back. */
export const encodingOf = (value: Value): Value =>
  value.type === 'f64'
    ? conversion(convert.i64FromF64Bits, 'i64', value)
    : conversion(convert.i32FromF32Bits, 'i32', value);
const decodingOf = (value: Value): Value =>
  value.type === 'i64'
    ? conversion(convert.f64FromI64Bits, 'f64', value)
    : conversion(convert.f32FromI32Bits, 'f32', value);

/** What COMISx and UCOMISx find: i32 0 or 1 each. */
export const order = {
  less: (a: Value, b: Value): Value => float('lt', a, b),
  greater: (a: Value, b: Value): Value => float('gt', a, b),
  notLess: (a: Value, b: Value): Value => float('ge', a, b),
  unordered: (a: Value, b: Value): Value => integer('or', float('ne', a, a), float('ne', b, b)),
} as const;

/** The numbers that two deferred operands of `order` encode. */
export const comparedNumbers = (a: Value, b: Value): { a: Value; b: Value } => ({ a: decodingOf(a), b: decodingOf(b) });

export class FlagEmitter extends Emitter {
  flagResult(): Value {
    return this.loadState64(state.flagResult);
  }

  flagAux(): Value {
    return this.loadState32(state.flagAux);
  }

  setFlagResult(value: Value): void {
    this.storeState64(state.flagResult, value);
  }

  setFlagAux(value: Value): void {
    this.storeState32(state.flagAux, value);
  }

  // Reading: i32 0 or 1.

  cf(): Value {
    return this.shrU(this.flagAux(), 31);
  }

  of(): Value {
    const aux = this.let(this.flagAux());
    return this.shrU(this.xor(aux, this.shl(aux, 1)), 31);
  }

  af(): Value {
    return this.and(this.shrU(this.flagAux(), 3), 1);
  }

  zf(): Value {
    return this.isZero(this.flagResult());
  }

  sf(): Value {
    return this.xor(this.wrap(this.shrU(this.flagResult(), 63)), this.and(this.flagAux(), 1));
  }

  pf(): Value {
    const byte = this.xor(this.wrap(this.flagResult()), this.shrU(this.flagAux(), 8));
    return this.xor(this.and(this.popcnt(this.and(byte, 0xff)), 1), 1);
  }

  /** Condition code 0–15 as in Jcc, SETcc, CMOVcc (SDM Vol. 1 appendix B): i32 0 or non-zero. */
  condition(code: number): Value {
    const base = this.#baseCondition(code >> 1);
    return (code & 1) === 0 ? base : this.isZero(base);
  }

  #baseCondition(kind: number): Value {
    switch (kind) {
      case 0:
        return this.of();
      case 1:
        return this.cf();
      case 2:
        return this.zf();
      case 3:
        return this.or(this.cf(), this.zf());
      case 4:
        return this.sf();
      case 5:
        return this.pf();
      case 6:
        return this.xor(this.sf(), this.of());
      default:
        return this.or(this.xor(this.sf(), this.of()), this.zf());
    }
  }

  // Writing

  /** The low `bits` of `result`, sign-extended, as ZF, SF and PF will see it. */
  #signed(bits: Bits, result: Value): Value {
    return this.extendS(this.signExtend(result, bits));
  }

  /** ZF, SF, PF from the result; CF, OF, AF cleared. AND, OR, XOR, TEST. */
  setFlagsLogic(bits: Bits, result: Value): void {
    this.setFlagResult(this.#signed(bits, result));
    this.setFlagAux(this.i32(0));
  }

  /**
   * Flags of `result = a + b`, or with `carried` of `a + b + CF`. `a`, `b`, `result` must be bound; their bits above
   * `bits` do not matter.
   */
  setFlagsAdd(bits: Bits, a: Value, b: Value, result: Value, _carried = false): void {
    const carries = this.or(this.and(a, b), this.and(this.or(a, b), this.not(result)));
    this.setFlagResult(this.#signed(bits, result));
    this.setFlagAux(this.#carryBits(bits, carries));
  }

  /** Flags of `result = a - b`, or with `borrowed` of `a - b - CF`. */
  setFlagsSub(bits: Bits, a: Value, b: Value, result: Value, _borrowed = false): void {
    const borrows = this.or(this.and(this.not(a), b), this.and(this.not(this.xor(a, b)), result));
    this.setFlagResult(this.#signed(bits, result));
    this.setFlagAux(this.#carryBits(bits, borrows));
  }

  /** INC: as ADD 1, CF kept. */
  setFlagsInc(bits: Bits, result: Value): void {
    this.setFlagsStep('inc', bits, result, this.let(this.cf()));
  }

  /** DEC: as SUB 1, CF kept. */
  setFlagsDec(bits: Bits, result: Value): void {
    this.setFlagsStep('dec', bits, result, this.let(this.cf()));
  }

  /** `result` and `cf` (i32 0 or 1) bound. */
  protected setFlagsStep(operation: 'inc' | 'dec', bits: Bits, result: Value, cf: Value): void {
    const half = 1n << BigInt(bits - 1);
    const overflow = this.eq(this.zeroExtend(result, bits), operation === 'inc' ? half : half - 1n);
    const af = this.let(this.eq(this.and(this.wrap(result), 15), operation === 'inc' ? 0 : 15));
    this.setFlagResult(this.#signed(bits, result));
    this.setFlagAux(this.packAux(cf, overflow, af));
  }

  /** COMISx, UCOMISx of floating-point numbers, bound: less CF, equal ZF, unordered ZF, PF and CF; the others 0. */
  setFlagsOrder(a: Value, b: Value): void {
    const none = this.i32(0);
    const cf = this.isZero(order.notLess(a, b));
    const zf = this.isZero(this.or(order.less(a, b), order.greater(a, b)));
    this.setFlags({ cf, zf, pf: order.unordered(a, b), sf: none, of: none, af: none });
  }

  /** What a shift makes of `value`; the count is masked. */
  shifted(operation: ShiftOperation, bits: Bits, value: Value, count: Value): Value {
    if (operation === 'shl') return this.shl(value, count);
    return operation === 'shr' ? this.shrU(value, count) : this.shrS(this.signExtend(value, bits), count);
  }

  /** The last bit shifted out, in bit 0. Up to 16 bits that is the bit above the operand; further shifts leave 0 there. */
  #shiftedOut(operation: ShiftOperation, bits: Bits, value: Value, count: Value): Value {
    if (operation === 'shl') {
      return bits < 32
        ? this.shrU(this.shl(value, count), bits)
        : this.shrU(value, this.sub(this.constantOf(bits, 0), count));
    }
    const operand = operation === 'shr' ? value : this.signExtend(value, bits);
    return operation === 'shr' ? this.shrU(operand, this.sub(count, 1)) : this.shrS(operand, this.sub(count, 1));
  }

  /** SHL, SHR, SAR by a masked `count` other than 0, bound like `value`. OF follows one formula for all counts. */
  setFlagsShift(operation: ShiftOperation, bits: Bits, value: Value, count: Value): void {
    const result = this.let(this.shifted(operation, bits, value, count));
    const cf = this.let(this.and(this.wrap(this.#shiftedOut(operation, bits, value, count)), 1));
    let of = this.i32(0);
    if (operation === 'shl') of = this.xor(this.signBit(result, bits), cf);
    else if (operation === 'shr') of = this.signBit(value, bits);
    this.setFlagsResult(bits, result, { cf, of });
  }

  /** The flags that a deferred operation on `a` and `b` (bound, as wide as its operands) leaves. */
  setDeferred({ operation, bits }: Deferred, a: Value, b: Value): void {
    switch (operation) {
      case 'logic':
        this.setFlagsLogic(bits, a);
        break;
      case 'add':
        this.setFlagsAdd(bits, a, b, this.let(this.add(a, b)));
        break;
      case 'sub':
        this.setFlagsSub(bits, a, b, this.let(this.sub(a, b)));
        break;
      case 'inc':
      case 'dec':
        this.setFlagsStep(operation, bits, a, this.wrap(b));
        break;
      case 'order': {
        const numbers = comparedNumbers(a, b);
        this.setFlagsOrder(this.let(numbers.a), this.let(numbers.b));
        break;
      }
      default:
        this.setFlagsShift(operation, bits, a, b);
    }
  }

  #carryBits(bits: Bits, carries: Value): Value {
    const vector = this.let(carries);
    if (bits === 64) {
      return this.or(this.and(this.wrap(this.shrU(vector, 32)), topBits), this.and(this.wrap(vector), 8));
    }
    if (bits === 32) return this.and(vector, topBits | 8);
    return this.or(this.and(this.shl(vector, 32 - bits), topBits), this.and(vector, 8));
  }

  /** The aux word of given CF, OF, AF (i32 0/1), no corrections. `cf` must be bound. */
  packAux(cf: Value, of: Value, af?: Value): Value {
    const carry = this.or(this.shl(cf, 31), this.shl(this.xor(cf, of), 30));
    return af === undefined ? carry : this.or(carry, this.shl(af, 3));
  }

  /** ZF, SF, PF from the result, the others as given (absent: cleared). Shifts, multiplications … */
  setFlagsResult(bits: Bits, result: Value, flags: Pick<FlagValues, 'cf' | 'of' | 'af'>): void {
    const cf = flags.cf === undefined ? this.i32(0) : this.let(flags.cf);
    const aux = this.let(this.packAux(cf, flags.of ?? this.i32(0), flags.af));
    this.setFlagResult(this.#signed(bits, result));
    this.setFlagAux(aux);
  }

  /** Sets exactly the given flags; the others keep their values. */
  setFlags(flags: FlagValues): void {
    if (flags.zf === undefined && flags.sf === undefined && flags.pf === undefined) {
      const cf = this.let(flags.cf ?? this.cf());
      const of = this.let(flags.of ?? this.of());
      const old = this.and(this.flagAux(), flags.af === undefined ? 0xff09 : 0xff01);
      const aux = this.or(old, this.packAux(cf, of, flags.af));
      this.setFlagAux(aux);
      return;
    }
    const cf = this.let(flags.cf ?? this.cf());
    const of = this.let(flags.of ?? this.of());
    const af = this.let(flags.af ?? this.af());
    const pf = this.let(flags.pf ?? this.pf());
    const sf = this.let(flags.sf ?? this.sf());
    const zf = this.let(flags.zf ?? this.zf());
    this.setFlagResult(this.extendU(this.xor(zf, 1)));
    // Of the results 0 and 1, the first has PF = 1 and the second PF = 0: PF is what ZF says, unless corrected.
    this.setFlagAux(this.or(this.packAux(cf, of, af), this.or(this.shl(this.xor(pf, zf), 8), sf)));
  }

  /** The six flags at their EFLAGS positions, other bits 0: i32. */
  packFlags(): Value {
    const low = this.or(this.cf(), this.or(this.shl(this.pf(), 2), this.shl(this.af(), 4)));
    const middle = this.or(this.shl(this.zf(), 6), this.shl(this.sf(), 7));
    return this.let(this.or(low, this.or(middle, this.shl(this.of(), 11))));
  }

  /** Sets CF, PF, AF, ZF, SF (and OF unless `keepOf`) from an EFLAGS image. `image` must be bound. */
  unpackFlags(image: Value, keepOf = false): void {
    const bit = (n: number): Value => this.and(this.shrU(image, n), 1);
    const flags: FlagValues = { cf: this.and(image, 1), pf: bit(2), af: bit(4), zf: bit(6), sf: bit(7) };
    if (!keepOf) flags.of = bit(11);
    this.setFlags(flags);
  }
}
