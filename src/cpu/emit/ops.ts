/**
 * The operations that instruction semantics are written in. The interpreter gives them operands from decoded records,
 * the translator will give them fixed ones; what an instruction does is written once, over this class.
 */
import { vector } from '../../spec/x86/exceptions.ts';
import { loadFrom } from '../../wasm/expression.ts';
import { load, store } from '../../wasm/opcodes.ts';
import type { Value, ValueType } from '../../wasm/types.ts';
import { engine, segmentIndex, state } from '../state/layout.ts';
import { loadOpcode, memoryType, storeOpcode } from './access-opcodes.ts';
import { integerType } from './emitter.ts';
import { FloatEmitter } from './float-emitter.ts';
import type { Form, Operand } from './form.ts';
import type { WideExchange } from './wide-exchange.ts';

/** How a memory operand is about to be used: decides the checks. `modify` needs both rights at once. */
export type Access = 'read' | 'write' | 'modify';

/** Bits of the x87 status word: ES and TOP. SDM Vol. 1 figure 8-4. */
const errorSummary = 0x80;
const stackTop = 0x3800;

export const rax = state.gpr;
export const rcx = state.gpr + 8;
export const rdx = state.gpr + 16;
export const rbx = state.gpr + 24;
export const rsp = state.gpr + 32;
export const rbp = state.gpr + 40;
export const rsi = state.gpr + 48;
export const rdi = state.gpr + 56;

export abstract class Ops extends FloatEmitter {
  /** Set by the user before each row's semantics run. */
  form!: Form;
  /** Of linear addresses in segments that the instruction implies: the segment. All others lie in its memory operand's. */
  protected readonly impliedSegments = new WeakMap<Value, number>();

  /** 64-bit code? */
  get long(): boolean {
    return this.form.long;
  }

  /**
   * Whether it is known here that ES, SS and DS span all linear addresses from 0 on, and CS, too: so it is in 64-bit code, and in
   * what the translator takes of 32-bit code. Only FS and GS, and CS as the segment of data, are to be looked at then.
   */
  get flat(): boolean {
    return this.long;
  }

  /** Whether that holds now: i32. */
  isFlat(): Value {
    return this.i32(this.flat ? 1 : 0);
  }

  /** Whether the segment of the memory operand, where that is flat, is one of those, or has no limit: i32. */
  abstract operandIsFlat(): Value;

  // What the users of the semantics provide

  /** From here to `unlockBus`, or a fault, no other processor runs guest code. */
  abstract lockBus(): void;
  abstract unlockBus(): void;

  /** Exchanges 16 aligned bytes in one step where the host can; everywhere else `otherwise` is done. */
  abstract exchangeWide(linear: Value, exchange: WideExchange, otherwise: () => void): void;

  /** The operand's register address in the vCPU's memory, as an i32 value. Registers of every file. */
  protected abstract registerAddress(operand: Operand): Value;
  /** The number that an operand's register field holds where it is no state address (CR, DR, ST) — or that address. */
  registerNumber(operand: Operand): Value {
    return this.registerAddress(operand);
  }

  /** The immediate, of the type that `bits` asks for, sign-extended from its encoded width. */
  abstract immediate(operand: Operand, bits?: number): Value;
  /** Second immediate (ENTER, far pointers): i32. */
  abstract immediate2(): Value;
  /** Offset part of a memory operand (what LEA computes), cut to the address size: i64. */
  abstract effectiveAddress(operand: Operand, byteOffset?: number): Value;
  /** Is rSP the base register of the memory operand? i32 0 or 1 (POP computes such an address after the increment). */
  abstract basedOnStack(operand: Operand): Value;
  /** Segment base and limit checks on an effective address of the instruction's memory operand: linear address, i64. */
  abstract linearOf(effective: Value, bytes: number, access: Access): Value;
  /** The same in a segment that the instruction implies (string destinations, stack): `segment` as `segmentIndex`. */
  abstract linearIn(segment: number, offset: Value, bytes: number, access: Access): Value;
  /** Reads guest memory, as `memoryType` unless `type` says otherwise. Leaves the instruction on a fault. */
  abstract loadMemory(linear: Value, bytes: number, type?: ValueType): Value;
  abstract storeMemory(linear: Value, bytes: number, value: Value): void;
  /** Reads, then writes what `change` makes of it; faults before anything is written. @returns the old value. */
  abstract modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value;
  /** Faults as a write of `bytes` would, without writing. */
  abstract probeWrite(linear: Value, bytes: number): void;
  /** Base of the segment of the instruction's memory operand: i64. */
  protected abstract segmentBase(): Value;
  /**
   * Copies `bytes` (i64) between two ranges that each lie within a page, if both are RAM that may be accessed and an
   * element-wise copy upwards, or downwards (`down`, i32), would do the same. @returns i32 1 if it did, 0 if nothing
   * happened. No faults.
   */
  abstract copyInPage(source: Value, target: Value, bytes: Value, down: Value): Value;
  /** Fills `bytes` (i64) of one page with an element of `elementBytes`, likewise. */
  abstract fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value;
  /** Instruction pointer of the running instruction: i64. */
  abstract currentIp(): Value;
  /** Instruction pointer of the next instruction: i64. */
  abstract nextIp(): Value;
  /** Continues at `ip` (i64, already cut to the operand size). Ends the instruction. */
  abstract jump(ip: Value): void;
  /** Continues at the branch target that the instruction encodes. Ends the instruction. */
  abstract jumpRelative(operand: Operand): void;
  /** Leaves with a fault that was recorded in the state block. */
  abstract leaveFault(): void;
  /** The instruction is complete; for use inside a branch of the emitted code. */
  abstract finish(): void;
  /** Restarts the same instruction (REP after a bounded number of rounds, so that interrupts get in). */
  abstract restart(): void;
  /** Takes `cost` (i32) from the budget, beyond the 1 that every instruction costs. */
  abstract charge(cost: Value): void;
  /** MFENCE: what came before is seen by all processors before what comes after. SDM Vol. 3A 9.2.5. */
  fence(): void {
    this.code.fence();
  }

  /** Sets IF, which is 0; interrupts are delivered after the next instruction at the earliest. */
  abstract enableInterrupts(): void;

  // Operands

  /** Reads an operand: i32 up to 32 bits (zero-extended), i64, or v128. The result may be used many times. */
  read(operand: Operand): Value {
    if (operand.kind === 'immediate') return this.immediate(operand);
    if (operand.kind === 'memory') return this.readMemory(operand);
    return this.let(this.loadRegister(this.registerAddress(operand), operand.bits));
  }

  readMemory(operand: Operand, type?: ValueType): Value {
    return this.loadMemory(this.linear(operand, 'read'), operand.bits / 8, type);
  }

  /**
   * An xmm register operand of 64 or 32 bits as a vector; what is above is garbage. Reading no more than what the last
   * scalar instruction wrote lets the host forward that store.
   */
  readLow(operand: Operand): Value {
    const opcode = operand.bits === 64 ? load.v128_64zero : load.v128_32zero;
    return this.let(loadFrom(opcode, 'v128', this.registerAddress(operand), 0, 0));
  }

  /** An xmm register operand of 64 or 32 bits as a floating-point value. Bound. */
  readNumber(operand: Operand): Value {
    const type = operand.bits === 64 ? 'f64' : 'f32';
    return this.let(loadFrom(loadOpcode(operand.bits / 8, type), type, this.registerAddress(operand), 0, 0));
  }

  write(operand: Operand, value: Value): void {
    if (operand.kind === 'memory') {
      this.storeMemory(this.linear(operand, 'write'), operand.bits / 8, value);
    } else if (operand.kind === 'mmx') {
      this.#writeMmx(this.let(this.registerAddress(operand)), value);
    } else {
      this.storeRegister(this.registerAddress(operand), operand.bits, value, operand.kind === 'register');
    }
  }

  /** An MMX register is a significand; writing it makes the rest of the x87 register ones. SDM Vol. 1 9.2.1. */
  #writeMmx(address: Value, value: Value): void {
    this.storeState(store.i64, address, 0, value);
    this.storeState(store.i32_16, address, 8, this.i32(0xffff));
  }

  /** Reads and writes one operand; LOCK makes it atomic. @returns the old value. */
  modify(operand: Operand, change: (old: Value) => Value): Value {
    if (operand.kind === 'memory') {
      return this.modifyMemory(this.linear(operand, 'modify'), operand.bits / 8, change);
    }
    const address = this.let(this.registerAddress(operand));
    const old = this.let(this.loadRegister(address, operand.bits));
    this.storeRegister(address, operand.bits, change(old), operand.kind === 'register');
    return old;
  }

  /** The linear address of a memory operand, checked for `access`; bound. */
  linear(operand: Operand, access: Access): Value {
    const bytes = Math.max(operand.bits / 8, 1);
    const effective = this.effectiveAddress(operand, operand.byteOffset ?? 0);
    if (operand.bits !== 128 || this.form.row.unaligned === true) return this.linearOf(effective, bytes, access);
    // Alignment goes before segment limits; in 64-bit code there are none.
    if (this.long) {
      const linear = this.linearOf(effective, bytes, access);
      this.#requireAligned(linear);
      return linear;
    }
    const offset = this.let(effective);
    this.#requireAligned(this.add(offset, this.segmentBase()));
    return this.linearOf(offset, bytes, access);
  }

  #requireAligned(linear: Value): void {
    this.ifUnlikely(this.and(this.wrap(linear), 15), () => this.raise(vector.gp, this.i32(0)));
  }

  /** A part of a memory operand: `bits` at `byteOffset` (far pointers, BOUND, LGDT). */
  part(operand: Operand, byteOffset: number, bits: number): Operand {
    return { ...operand, bits, byteOffset };
  }

  /** Loads a register of any file from its state address. */
  loadRegister(address: Value, bits: number): Value {
    const type = memoryType(bits / 8);
    return loadFrom(loadOpcode(bits / 8, type), type, address, 0, 0);
  }

  /** Stores to a register; 32-bit writes of general registers clear the upper half, other narrow writes merge. */
  storeRegister(address: Value, bits: number, value: Value, general: boolean): void {
    if (bits === 32 && general) this.storeState(store.i64, address, 0, this.extendU(value));
    else this.storeState(storeOpcode(bits / 8, value.type), address, 0, value);
  }

  /** A general register named by its state address (`rax`, `rcx` …); add 1 for AH, CH, DH, BH. Bound. */
  gpr(address: number, bits: number): Value {
    return this.let(this.loadRegister(this.i32(address), bits));
  }

  setGpr(address: number, bits: number, value: Value): void {
    this.storeRegister(this.i32(address), bits, value, true);
  }

  // Stack

  /** The stack pointer as the address size of the stack sees it: i64. */
  stackPointer(): Value {
    return this.let(this.#onStack(this.loadState64(rsp)));
  }

  /** As much of `value` (i64) as the address size of the stack covers. */
  #onStack(value: Value): Value {
    if (this.long) return value;
    return this.flat ? this.extendU(this.wrap(value)) : this.and(value, this.loadState64(state.stackMask));
  }

  /** All of rSP once as much of it as the address size of the stack covers is `value` (i64). Nothing is above bit 31 then. */
  stackPointerAs(value: Value): Value {
    if (this.flat) return this.#onStack(value);
    const mask = this.let(this.loadState64(state.stackMask));
    const kept = this.and(this.loadState64(rsp), this.and(this.not(mask), 0xffff_ffffn));
    return this.or(kept, this.and(value, mask));
  }

  /** Sets as much of rSP as the address size of the stack covers. `value` i64. */
  setStackPointer(value: Value): void {
    this.storeState64(rsp, this.stackPointerAs(value));
  }

  /** The linear address of `pointer` (i64) in the stack segment, cut to the stack's address size and checked. */
  stackLinear(pointer: Value, bytes: number, access: Access): Value {
    if (this.long) return this.linearIn(segmentIndex.flatStack, pointer, bytes, access);
    return this.linearIn(segmentIndex.ss, this.let(this.#onStack(pointer)), bytes, access);
  }

  /** Pushes an operand of `bits`: memory first, then rSP, so that a fault changes nothing. */
  push(value: Value, bits: number): void {
    const pointer = this.let(this.sub(this.stackPointer(), bits / 8));
    this.storeMemory(this.stackLinear(pointer, bits / 8, 'write'), bits / 8, value);
    this.setStackPointer(pointer);
  }

  /** Faults as a push of `bits` would, without pushing. */
  probePush(bits: number): void {
    const pointer = this.let(this.sub(this.stackPointer(), bits / 8));
    this.probeWrite(this.stackLinear(pointer, bits / 8, 'write'), bits / 8);
  }

  /** Reads the operand of `bits` that lies `byteOffset` above the top of the stack, without popping it. */
  peek(bits: number, byteOffset = 0): Value {
    const pointer = this.let(this.add(this.stackPointer(), byteOffset));
    return this.loadMemory(this.stackLinear(pointer, bits / 8, 'read'), bits / 8);
  }

  /** Writes the stack at rSP + `byteOffset` (negative: below), without moving it. */
  poke(bits: number, byteOffset: Value | number, value: Value): void {
    const pointer = this.let(this.add(this.stackPointer(), byteOffset));
    this.storeMemory(this.stackLinear(pointer, bits / 8, 'write'), bits / 8, value);
  }

  /** Moves the stack pointer by `bytes` (i64 or number). */
  adjustStack(bytes: Value | number): void {
    this.setStackPointer(this.add(this.stackPointer(), bytes));
  }

  /** Pops an operand of `bits`. */
  pop(bits: number): Value {
    const value = this.peek(bits);
    this.adjustStack(bits / 8);
    return value;
  }

  // Control transfer

  /**
   * A near indirect target or return address of the operand size as an instruction pointer; checks it (#GP(0)).
   * `before` is emitted for what faults first.
   */
  checkedTarget(value: Value, bits: number, before?: () => void): Value {
    const ip = this.let(this.extendU(value));
    const refuse = (): void => {
      before?.();
      this.raise(vector.gp, this.i32(0));
    };
    if (this.long && bits === 64) {
      const canonical = this.shrS(this.shl(ip, 16), 16);
      this.ifUnlikely(this.ne(canonical, ip), refuse);
    } else if (!this.flat) {
      const limit = this.loadState32(state.segments + segmentIndex.cs * 32 + 8);
      this.ifUnlikely(this.gtU(this.wrap(ip), limit), refuse);
    }
    return ip;
  }

  // Exceptions

  /** Raises an exception at this instruction. Ends the instruction. */
  raise(number: number, errorCode?: Value): void {
    this.storeState32(state.faultHasError, this.i32(errorCode === undefined ? 0 : 1));
    if (errorCode !== undefined) this.storeState32(state.faultError, errorCode);
    this.storeState32(state.fault, this.i32(number + 1));
    this.leaveFault();
  }

  /**
   * Where `condition` (i32) holds, the instruction is all `slow`: rare cases for a slow path. Nothing is changed before, so
   * that whoever has no slow paths can leave the whole instruction to somebody else instead.
   */
  rarely(condition: Value, slow: () => void): void {
    this.ifUnlikely(condition, () => {
      slow();
      this.finish();
    });
  }

  /** Selects the TLB set (i32, see `tlbSet`) of later accesses. Who holds state.tlbBase elsewhere overrides this. */
  selectTlb(set: Value): void {
    this.storeState32(state.tlbBase, set);
  }

  /** Once a segment register was loaded, as the last of its instruction: what follows may be another kind of code. */
  findAnew(): void {
    if (this.long) return;
    this.ifUnlikely(this.loadState32(engine.kindChanged), () => {
      this.storeState32(engine.kindChanged, this.i32(0));
      this.jump(this.nextIp());
    });
  }

  /** #GP(0) unless CPL is 0. */
  requireSupervisor(): void {
    this.ifUnlikely(this.loadState32(state.cpl), () => this.raise(vector.gp, this.i32(0)));
  }

  /** Raises what a state word such as `state.sseFault` holds, if it holds anything. */
  requireUnit(faultWord: number): void {
    this.ifUnlikely(this.loadState32(faultWord), () => {
      this.storeState32(state.faultHasError, this.i32(0));
      this.storeState32(state.fault, this.loadState32(faultWord));
      this.leaveFault();
    });
  }

  /** Raises what forbids MMX instructions now: CR0.EM, CR0.TS, or a pending x87 exception (FSW.ES). */
  requireMmx(): void {
    this.requireUnit(state.mmxFault);
    const pending = this.and(this.loadState32(state.fsw), errorSummary);
    this.ifUnlikely(pending, () => this.raise(vector.mf));
  }

  /** What every MMX instruction but EMMS does to the x87 unit: all registers valid, TOP = 0. SDM Vol. 1 9.5.1. */
  enterMmx(): void {
    this.storeState32(state.ftwValid, this.i32(0xff));
    this.storeState32(state.fsw, this.and(this.loadState32(state.fsw), ~stackTop));
  }

  /** EFLAGS bit `bit` outside the status flags: i32 0 or 1. */
  eflagsBit(bit: number): Value {
    return this.and(this.shrU(this.loadState32(state.eflags), bit), 1);
  }

  /** An i32 or i64 constant for this operand's width. */
  constantFor(operand: Operand, value: bigint | number): Value {
    return integerType(operand.bits) === 'i64' ? this.i64(value) : this.i32(Number(value));
  }
}

/** The meaning of a table row: emits, over `o`, what the instruction does in the form `x`. */
export type Semantics = (o: Ops, x: Form) => void;
