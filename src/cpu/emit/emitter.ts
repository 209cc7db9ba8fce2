/**
 * What semantics are written with, below the level of x86: arithmetic on WebAssembly values and structured control
 * flow. Values are pure expressions; `let` evaluates one, once, and must come before a second use of it.
 */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import * as e from '../../wasm/expression.ts';
import { convert, load } from '../../wasm/opcodes.ts';
import type { Local, Value, ValueType } from '../../wasm/types.ts';

/** Width of an integer operand in bits. Up to 32 it travels as i32 (zero-extended), 64 as i64. */
export type Bits = 8 | 16 | 32 | 64;

export const integerType = (bits: number): 'i32' | 'i64' => (bits === 64 ? 'i64' : 'i32');

export interface Unless {
  readonly mostly: Value;
  readonly otherwise: readonly Value[];
}

export class Emitter {
  readonly code: CodeBuilder;
  /** Whether looks into the TLB are counted, for statistics. */
  countsLookups = false;

  constructor(code: CodeBuilder) {
    this.code = code;
  }

  // Values

  i32(value: number): Value {
    return e.i32Constant(value);
  }

  i64(value: bigint | number): Value {
    return e.i64Constant(value);
  }

  /** A constant of the type that `like` has. */
  constant(like: Value, value: bigint | number): Value {
    return e.integerConstant(like.type, value);
  }

  /** A constant of the type that carries `bits`. */
  constantOf(bits: number, value: bigint | number): Value {
    return e.integerConstant(integerType(bits), value);
  }

  /** Evaluates now; the result may be used many times. */
  let(value: Value): Value {
    return this.code.bind(value);
  }

  /** A constant that is worth a place of its own where much code shares it. */
  shared(constant: Value): Value {
    return constant;
  }

  variable(type: ValueType, initial?: Value): Local {
    const local = this.code.local(type);
    if (initial !== undefined) this.code.set(local, initial);
    return local;
  }

  get(local: Local): Value {
    return this.code.get(local);
  }

  set(local: Local, value: Value): void {
    this.code.set(local, value);
  }

  // Integer arithmetic: both operands i32 or both i64. A number or bigint stands for a constant of the other's type.

  #binary(operation: Parameters<typeof e.integer>[0], a: Value, b: Value | number | bigint): Value {
    return e.integer(operation, a, typeof b === 'object' ? b : this.constant(a, b));
  }

  add(a: Value, b: Value | number | bigint): Value {
    return b === 0 || b === 0n ? a : this.#binary('add', a, b);
  }

  sub(a: Value, b: Value | number | bigint): Value {
    return this.#binary('sub', a, b);
  }

  mul(a: Value, b: Value | number | bigint): Value {
    return this.#binary('mul', a, b);
  }

  /** WebAssembly traps on a zero divisor and on overflow: check first. */
  divU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('divU', a, b);
  }

  divS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('divS', a, b);
  }

  remU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('remU', a, b);
  }

  remS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('remS', a, b);
  }

  and(a: Value, b: Value | number | bigint): Value {
    return this.#binary('and', a, b);
  }

  or(a: Value, b: Value | number | bigint): Value {
    return this.#binary('or', a, b);
  }

  xor(a: Value, b: Value | number | bigint): Value {
    return this.#binary('xor', a, b);
  }

  not(a: Value): Value {
    return this.#binary('xor', a, -1);
  }

  neg(a: Value): Value {
    return e.integer('sub', this.constant(a, 0), a);
  }

  /** Shift counts are taken modulo 32 or 64, by the type. */
  shl(a: Value, count: Value | number | bigint): Value {
    return count === 0 ? a : this.#binary('shl', a, count);
  }

  shrU(a: Value, count: Value | number | bigint): Value {
    return count === 0 ? a : this.#binary('shrU', a, count);
  }

  shrS(a: Value, count: Value | number | bigint): Value {
    return count === 0 ? a : this.#binary('shrS', a, count);
  }

  rotl(a: Value, count: Value | number | bigint): Value {
    return this.#binary('rotl', a, count);
  }

  rotr(a: Value, count: Value | number | bigint): Value {
    return this.#binary('rotr', a, count);
  }

  clz(a: Value): Value {
    return e.integer('clz', a);
  }

  ctz(a: Value): Value {
    return e.integer('ctz', a);
  }

  popcnt(a: Value): Value {
    return e.integer('popcnt', a);
  }

  // Comparisons: i32 0 or 1.

  isZero(a: Value): Value {
    return e.integer('eqz', a);
  }

  eq(a: Value, b: Value | number | bigint): Value {
    return this.#binary('eq', a, b);
  }

  ne(a: Value, b: Value | number | bigint): Value {
    return this.#binary('ne', a, b);
  }

  ltU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('ltU', a, b);
  }

  ltS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('ltS', a, b);
  }

  gtU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('gtU', a, b);
  }

  gtS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('gtS', a, b);
  }

  leU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('leU', a, b);
  }

  leS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('leS', a, b);
  }

  geU(a: Value, b: Value | number | bigint): Value {
    return this.#binary('geU', a, b);
  }

  geS(a: Value, b: Value | number | bigint): Value {
    return this.#binary('geS', a, b);
  }

  select(condition: Value, a: Value, b: Value): Value {
    return e.select(condition, a, b);
  }

  // Conversions

  /** i64 → i32 (low half); i32 stays. */
  wrap(a: Value): Value {
    return e.wrap(a);
  }

  extendU(a: Value): Value {
    return e.extendUnsigned(a);
  }

  extendS(a: Value): Value {
    return e.extendSigned(a);
  }

  /** Sign-extends the low `bits` of `a` within its own type. */
  signExtend(a: Value, bits: number): Value {
    if (a.type === 'i32') {
      if (bits === 32) return a;
      return e.conversion(bits === 8 ? 0xc0 : 0xc1, 'i32', a);
    }
    if (bits === 64) return a;
    return e.conversion({ 8: 0xc2, 16: 0xc3, 32: convert.i64Extend32S }[bits] as number, 'i64', a);
  }

  /** Clears all but the low `bits` of `a` within its own type. */
  zeroExtend(a: Value, bits: number): Value {
    if (a.type === 'i32') return bits === 32 ? a : this.and(a, (1 << bits) - 1);
    return bits === 64 ? a : this.and(a, (1n << BigInt(bits)) - 1n);
  }

  /** `a`, a zero-extended operand of `from` bits, as a zero-extended operand of `to` bits. */
  resizeU(a: Value, from: number, to: number): Value {
    if (to === 64) return this.extendU(a);
    const narrow = this.wrap(a);
    return to < from ? this.zeroExtend(narrow, to) : narrow;
  }

  /** `a`, an operand of `from` bits, sign-extended to an operand of `to` bits (zero-extended above them). */
  resizeS(a: Value, from: number, to: number): Value {
    if (to <= from) return this.resizeU(a, from, to);
    const wide = this.signExtend(a, from);
    return to === 64 ? this.extendS(wide) : this.zeroExtend(wide, to);
  }

  /** The top bit of an operand of `bits`: i32 0 or 1. */
  signBit(a: Value, bits: number): Value {
    return this.wrap(bits === 64 || bits === 32 ? this.shrU(a, bits - 1) : this.and(this.shrU(a, bits - 1), 1));
  }

  /** High 64 bits of the unsigned product of two i64. */
  mulHighU(x: Value, y: Value): Value {
    const a = this.let(x);
    const b = this.let(y);
    const aLow = this.let(this.and(a, 0xffff_ffffn));
    const aHigh = this.let(this.shrU(a, 32));
    const bLow = this.let(this.and(b, 0xffff_ffffn));
    const bHigh = this.let(this.shrU(b, 32));
    const middle1 = this.let(this.add(this.mul(aHigh, bLow), this.shrU(this.mul(aLow, bLow), 32)));
    const middle2 = this.let(this.add(this.mul(aLow, bHigh), this.and(middle1, 0xffff_ffffn)));
    return this.let(this.add(this.add(this.mul(aHigh, bHigh), this.shrU(middle1, 32)), this.shrU(middle2, 32)));
  }

  // The vCPU's own memory

  loadState32(address: Value | number, offset = 0): Value {
    return typeof address === 'number' ? e.loadI32(this.i32(0), address + offset) : e.loadI32(address, offset);
  }

  loadState64(address: Value | number, offset = 0): Value {
    return typeof address === 'number' ? e.loadI64(this.i32(0), address + offset) : e.loadI64(address, offset);
  }

  loadState(opcode: number, type: ValueType, address: Value, offset: number): Value {
    return e.loadFrom(opcode, type, address, offset, 0);
  }

  loadState16(address: Value, offset: number): Value {
    return e.loadFrom(load.i32_16u, 'i32', address, offset, 0);
  }

  loadState8(address: Value, offset: number): Value {
    return e.loadFrom(load.i32_8u, 'i32', address, offset, 0);
  }

  storeState(opcode: number, address: Value, offset: number, value: Value): void {
    this.code.store(opcode, address, value, offset, 0);
  }

  storeState32(address: number, value: Value): void {
    this.code.store(0x36, this.i32(0), value, address, 0);
  }

  storeState64(address: number, value: Value): void {
    this.code.store(0x37, this.i32(0), value, address, 0);
  }

  // Control flow

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.code.if(condition, then, otherwise);
  }

  /** An `if` that is rarely taken. */
  ifUnlikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.code.if(condition, then, otherwise, false);
  }

  ifLikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.code.if(condition, then, otherwise, true);
  }

  /**
   * Runs `rare` if any of `conditions` (i32) holds, which they hardly ever do. With `unless`: or if neither `mostly` nor all
   * of `otherwise` hold. It leaves status flags alone.
   */
  ifAny(conditions: readonly Value[], rare: () => void, unless?: Unless): void {
    this.code.block((done) => {
      this.code.block((found) => {
        for (const condition of conditions) this.code.branchIf(condition, found, false);
        if (unless !== undefined) {
          // Where there is an alternative, no hint: in code that is marked as rare, V8 saves all registers for what is rarer.
          if (unless.otherwise.length === 0) this.code.branchIf(this.isZero(unless.mostly), found, false);
          else this.code.branchIf(unless.mostly, done);
          for (const condition of unless.otherwise) this.code.branchIf(this.isZero(condition), found, false);
        }
        this.code.branch(done);
      });
      rare();
    });
  }

  /** Repeats `body` for as long as it branches to `again`. */
  loop(body: (again: Label) => void): void {
    this.code.loop(body);
  }

  block(body: (leave: Label) => void): void {
    this.code.block(body);
  }

  branch(label: Label): void {
    this.code.branch(label);
  }

  branchIf(condition: Value, label: Label): void {
    this.code.branchIf(condition, label);
  }
}
