/**
 * The translator's side of the semantics: operands are known, general registers live in WebAssembly locals for the
 * length of a region, flags are computed where they are wanted.
 */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import { callFor, i32Constant, i64Constant, loadFrom } from '../../wasm/expression.ts';

import type { Local, Value, ValueType } from '../../wasm/types.ts';
import { type Instruction, noRegister, ripBase } from '../decode/instruction.ts';
import type { Bits } from '../emit/emitter.ts';
import type { Operand } from '../emit/form.ts';
import { type HostCall, hostCalls } from '../emit/host-calls.ts';
import { type Access, Ops } from '../emit/ops.ts';
import { registerFields, segmentNumber } from '../interpret/assemble.ts';
import { guestLoad, guestStore, memoryType, type SharedFunctions, stackAccess } from '../interpret/interpreter-ops.ts';
import { status } from '../interpret/status.ts';
import { segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { type PendingFlags, packed } from './pending-flags.ts';

const guestRam = 1;
const generalRegisters = 16;

/** What a region's instructions share. */
export interface RegionFrame {
  readonly functions: SharedFunctions;
  readonly exit: Label;
  /** i32: what the region returns. */
  readonly status: Local;
  /** i64: where the guest goes on. */
  readonly target: Local;
  /** i32: 1 if the region was left by a fault. */
  readonly budget: Local;
  /** i64: instruction pointer of the page's byte 0. */
  readonly codeBase: Local;
  /** i32: decoded code was overwritten by the running instruction. */
  readonly codeWritten: Local;
  /** Continues at a page offset: within the region if it can. */
  readonly branchTo: (offset: number) => void;
  /** The record that the region was entered by, for slow paths: i32. */
  readonly record: Local;
}

export class TranslatorOps extends Ops {
  readonly #frame: RegionFrame;
  readonly #registers: (Local | undefined)[] = new Array(generalRegisters).fill(undefined);
  readonly #written = new Array<boolean>(generalRegisters).fill(false);
  readonly #flagResult: Local;
  readonly #flagAux: Local;
  readonly #flagOperands: Record<'a' | 'b' | 'result', Record<'i32' | 'i64', Local>>;
  flagsTouched = false;
  flagsWritten = false;
  pending: PendingFlags = packed;
  /** Inside loops of an instruction flags are set at once. */
  #eager = 0;
  /** The emitted code cannot get past this point. */
  ended = false;
  /** Instructions of the block after the running one. */
  remaining = 0;
  /** The running instruction may have written memory. */
  stored = false;
  #finished = false;
  #instruction!: Instruction;
  #offset = 0;
  #finishLabel: Label | undefined;
  #fields = { reg: 0, rm: 0, vvvv: 0 };

  constructor(code: CodeBuilder, frame: RegionFrame) {
    super(code);
    this.#frame = frame;
    this.#flagResult = code.local('i64');
    this.#flagAux = code.local('i32');
    const pair = (): Record<'i32' | 'i64', Local> => ({ i32: code.local('i32'), i64: code.local('i64') });
    this.#flagOperands = { a: pair(), b: pair(), result: pair() };
  }

  /** Emits `run` as the instruction at page offset `offset`. @returns whether it may have written memory. */
  instruction(instruction: Instruction, offset: number, run: () => void): boolean {
    const outer = {
      instruction: this.#instruction,
      offset: this.#offset,
      fields: this.#fields,
      form: this.form,
      label: this.#finishLabel,
      finished: this.#finished,
      stored: this.stored,
    };
    this.#instruction = instruction;
    this.#offset = offset;
    this.#fields = registerFields(instruction);
    this.#finished = false;
    this.stored = false;
    this.ended = false;
    this.code.block((label) => {
      this.#finishLabel = label;
      run();
      if (this.#finished && !this.ended) this.pack();
    });
    if (this.#finished) {
      this.ended = false;
      this.pending = packed;
    }
    const { stored } = this;
    this.stored = outer.stored;
    this.#instruction = outer.instruction;
    this.#offset = outer.offset;
    this.#fields = outer.fields;
    this.form = outer.form;
    this.#finishLabel = outer.label;
    this.#finished = outer.finished;
    return stored;
  }

  // Registers

  /** The local of a general register. */
  #general(number: number): Local {
    let local = this.#registers[number];
    if (local === undefined) {
      local = this.code.pinnedLocal('i64');
      this.#registers[number] = local;
    }
    return local;
  }

  /** Loads what the region uses; for the prologue. */
  loadRegisters(): void {
    for (const [number, local] of this.#registers.entries()) {
      if (local !== undefined) this.set(local, super.loadState64(state.gpr + number * 8));
    }
    if (this.flagsTouched) {
      this.set(this.#flagResult, super.loadState64(state.flagResult));
      this.set(this.#flagAux, super.loadState32(state.flagAux));
    }
  }

  /** Stores what the region wrote; for the epilogue. */
  storeRegisters(): void {
    for (const [number, local] of this.#registers.entries()) {
      if (local !== undefined && this.#written[number] === true)
        super.storeState64(state.gpr + number * 8, this.get(local));
    }
    if (this.flagsWritten) this.#storeFlags();
  }

  #storeFlags(): void {
    super.storeState64(state.flagResult, this.get(this.#flagResult));
    super.storeState32(state.flagAux, this.get(this.#flagAux));
  }

  #generalNumber(address: number): number | undefined {
    const offset = address - state.gpr;
    return offset >= 0 && offset < generalRegisters * 8 ? offset >> 3 : undefined;
  }

  override loadRegister(address: Value, bits: number): Value {
    const at = Number(address.immediate);
    const number = this.#generalNumber(at);
    if (number === undefined) return super.loadRegister(address, bits);
    const whole = this.get(this.#general(number));
    const value = bits === 64 ? whole : this.wrap(whole);
    if (bits >= 32) return value;
    const shifted = (at & 7) === 0 ? value : this.shrU(value, (at & 7) * 8);
    return this.and(shifted, (1 << bits) - 1);
  }

  override storeRegister(address: Value, bits: number, value: Value, general: boolean): void {
    const at = Number(address.immediate);
    const number = this.#generalNumber(at);
    if (number === undefined) {
      super.storeRegister(address, bits, value, general);
      return;
    }
    const local = this.#general(number);
    this.#written[number] = true;
    if (bits === 64) this.set(local, value);
    else if (bits === 32) this.set(local, this.extendU(value));
    else this.#merge(local, (at & 7) * 8, bits, value);
  }

  #merge(local: Local, shift: number, bits: number, value: Value): void {
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    const field = this.shl(this.extendU(this.and(value, (1 << bits) - 1)), shift);
    this.set(local, this.or(this.and(this.get(local), ~mask), field));
  }

  override loadState64(address: Value | number, offset = 0): Value {
    const number = typeof address === 'number' ? this.#generalNumber(address + offset) : undefined;
    if (number !== undefined) return this.get(this.#general(number));
    if (address === state.codeBase) return this.get(this.#frame.codeBase);
    return super.loadState64(address, offset);
  }

  override storeState64(address: number, value: Value): void {
    const number = this.#generalNumber(address);
    if (number === undefined) {
      super.storeState64(address, value);
      return;
    }
    this.#written[number] = true;
    this.set(this.#general(number), value);
  }

  /** state.codeBase as memory has it; for the prologue. */
  sharedCodeBase(): Value {
    return super.loadState64(state.codeBase);
  }

  override loadState32(address: Value | number, offset = 0): Value {
    const number = typeof address === 'number' ? this.#generalNumber(address + offset) : undefined;
    return number === undefined ? super.loadState32(address, offset) : this.wrap(this.get(this.#general(number)));
  }

  // Operands

  protected registerAddress(operand: Operand): Value {
    if (operand.field === 'fixed') return i32Constant(operand.address as number);
    return i32Constant(this.#fields[operand.field as 'reg' | 'rm' | 'vvvv']);
  }

  immediate(operand: Operand, bits = operand.bits): Value {
    const value = operand.field === 'fixed' ? BigInt(operand.address as number) : this.#instruction.immediate;
    return this.constantOf(bits, bits === 64 ? value : BigInt.asUintN(bits, value));
  }

  immediate2(): Value {
    return i32Constant(this.#instruction.immediate2);
  }

  effectiveAddress(_operand: Operand, byteOffset = 0): Value {
    const { base, index, scale, displacement, addressSize } = this.#instruction;
    let offset = displacement + BigInt(byteOffset);
    let sum: Value | undefined;
    if (base === ripBase) {
      offset += BigInt(this.#offset + this.#instruction.length);
      sum = this.get(this.#frame.codeBase);
    } else if (base !== noRegister) {
      sum = this.get(this.#general(base));
    }
    if (index !== noRegister) {
      const scaled = this.shl(this.get(this.#general(index)), scale);
      sum = sum === undefined ? scaled : this.add(sum, scaled);
    }
    const address = sum === undefined ? i64Constant(offset) : this.add(sum, offset);
    return this.zeroExtend(address, addressSize);
  }

  basedOnStack(_operand: Operand): Value {
    return i32Constant(this.#instruction.base === 4 ? 1 : 0);
  }

  linearOf(effective: Value, _bytes: number, _access: Access): Value {
    return this.linearIn(segmentNumber(this.#instruction, true), effective, _bytes, _access);
  }

  linearIn(segment: number, offset: Value, _bytes: number, _access: Access): Value {
    const based = segment === segmentIndex.fs || segment === segmentIndex.gs;
    const linear = this.let(
      based ? this.add(offset, super.loadState64(segmentAt(segment) + segmentField.base)) : offset,
    );
    this.impliedSegments.set(linear, segment);
    return linear;
  }

  // Memory

  #tlbEntry(linear: Value): Value {
    const index = this.and(this.wrap(this.shrU(linear, 12)), tlb.entries - 1);
    return this.let(this.add(this.loadState32(state.tlbBase), this.shl(index, 4)));
  }

  #tlbHit(entry: Value, linear: Value, bytes: number, table: number): Value {
    const page = this.and(this.add(linear, bytes - 1), -4096n);
    return this.eq(super.loadState64(entry, table + tlb.tag), page);
  }

  #ramAddress(entry: Value, linear: Value, table: number): Value {
    return this.add(this.wrap(linear), this.loadState32(entry, table + tlb.addend));
  }

  /** Slow paths may raise interrupts, which end the slice through state.budget. */
  #callSlow(functionIndex: number, linear: Value, bytes: number): void {
    this.storeState32(state.budget, this.get(this.#frame.budget));
    const segment = this.impliedSegments.get(linear) ?? segmentNumber(this.#instruction, true);
    const access = segment === segmentIndex.flatStack ? bytes | stackAccess : bytes;
    const failed = this.let(callFor('i32', functionIndex, [linear, this.i32(access)]));
    this.set(this.#frame.budget, this.loadState32(state.budget));
    this.code.if(failed, () => this.#cold(() => this.leaveFault()), undefined, false);
  }

  /** Code that leaves: what it does to the notion of the flags does not count for the code after it. */
  #cold(emit: () => void): void {
    const { pending, ended } = this;
    emit();
    this.pending = pending;
    this.ended = ended;
  }

  loadMemory(linear: Value, bytes: number): Value {
    const type = memoryType(bytes);
    const result = this.variable(type);
    const entry = this.#tlbEntry(linear);
    this.code.if(
      this.#tlbHit(entry, linear, bytes, 0),
      () => this.set(result, loadFrom(guestLoad(bytes), type, this.#ramAddress(entry, linear, 0), 0, guestRam)),
      () => {
        this.#callSlow(this.#frame.functions.readSlow, linear, bytes);
        this.set(result, this.#scratchValue(bytes, type));
      },
      true,
    );
    return this.get(result);
  }

  #scratchValue(bytes: number, type: ValueType): Value {
    return loadFrom(guestLoad(bytes), type, this.i32(0), state.scratch, 0);
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    this.stored = true;
    const bound = this.let(value);
    const entry = this.#tlbEntry(linear);
    this.code.if(
      this.#tlbHit(entry, linear, bytes, tlb.writeOffset),
      () => this.#storeRam(this.#ramAddress(entry, linear, tlb.writeOffset), bytes, bound),
      () => this.#storeSlow(linear, bytes, bound),
      true,
    );
  }

  #storeRam(address: Value, bytes: number, value: Value): void {
    this.code.store(guestStore(bytes), address, value, 0, guestRam);
  }

  #storeSlow(linear: Value, bytes: number, value: Value): void {
    this.code.store(guestStore(bytes), this.i32(0), value, state.scratch, 0);
    this.#callSlow(this.#frame.functions.writeSlow, linear, bytes);
    this.set(this.#frame.codeWritten, this.loadState32(state.codeWritten));
  }

  modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    this.stored = true;
    const type = memoryType(bytes);
    const old = this.variable(type);
    const address = this.variable('i32');
    const direct = this.variable('i32');
    const entry = this.#tlbEntry(linear);
    this.set(direct, this.#tlbHit(entry, linear, bytes, tlb.writeOffset));
    this.code.if(
      this.get(direct),
      () => {
        this.set(address, this.#ramAddress(entry, linear, tlb.writeOffset));
        this.set(old, loadFrom(guestLoad(bytes), type, this.get(address), 0, guestRam));
      },
      () => {
        this.#callSlow(this.#frame.functions.readForWriteSlow, linear, bytes);
        this.set(old, this.#scratchValue(bytes, type));
      },
      true,
    );
    const changed = this.let(change(this.get(old)));
    this.code.if(
      this.get(direct),
      () => this.#storeRam(this.get(address), bytes, changed),
      () => this.#storeSlow(linear, bytes, changed),
      true,
    );
    return this.get(old);
  }

  probeWrite(linear: Value, bytes: number): void {
    const entry = this.#tlbEntry(linear);
    const miss = this.isZero(this.#tlbHit(entry, linear, bytes, tlb.writeOffset));
    this.code.if(miss, () => this.#callSlow(this.#frame.functions.readForWriteSlow, linear, bytes), undefined, false);
  }

  protected segmentBase(): Value {
    return super.loadState64(segmentAt(segmentNumber(this.#instruction, true)) + segmentField.base);
  }

  copyInPage(source: Value, target: Value, bytes: Value): Value {
    const done = this.variable('i32', this.i32(0));
    const from = this.#tlbEntry(source);
    const to = this.#tlbEntry(target);
    const hit = this.and(this.#tlbHit(from, source, 1, 0), this.#tlbHit(to, target, 1, tlb.writeOffset));
    this.code.if(hit, () => {
      const length = this.let(this.wrap(bytes));
      const sourceRam = this.let(this.#ramAddress(from, source, 0));
      const targetRam = this.let(this.#ramAddress(to, target, tlb.writeOffset));
      this.code.if(this.geU(this.sub(targetRam, sourceRam), length), () => {
        this.code.memoryCopy(guestRam, targetRam, sourceRam, length);
        this.set(done, this.i32(1));
      });
    });
    return this.get(done);
  }

  fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value {
    const done = this.variable('i32', this.i32(0));
    const entry = this.#tlbEntry(target);
    const byte = this.let(this.and(this.wrap(element), 0xff));
    const pattern = 0x0101_0101_0101_0101n & ((1n << BigInt(elementBytes * 8)) - 1n);
    const repeated = this.resizeU(this.mul(this.extendU(byte), pattern), 64, elementBytes * 8);
    this.code.if(this.and(this.#tlbHit(entry, target, 1, tlb.writeOffset), this.eq(repeated, element)), () => {
      this.code.memoryFill(guestRam, this.#ramAddress(entry, target, tlb.writeOffset), byte, this.wrap(bytes));
      this.set(done, this.i32(1));
    });
    return this.get(done);
  }

  // Control

  #ipAt(offset: number): Value {
    return this.add(this.get(this.#frame.codeBase), BigInt(offset));
  }

  nextIp(): Value {
    return this.let(this.#ipAt(this.#offset + this.#instruction.length));
  }

  #leave(code: number, target: Value): void {
    // The block's instructions were all paid for when it was entered.
    const unspent = this.remaining + (code === status.fault ? 1 : 0);
    if (unspent > 0) this.set(this.#frame.budget, this.add(this.get(this.#frame.budget), unspent));
    this.set(this.#frame.target, target);
    this.pack();
    this.set(this.#frame.status, this.i32(code));
    this.code.branch(this.#frame.exit);
    this.ended = true;
  }

  /** Leaves the region; the guest goes on at `offset` of this page. */
  leaveTo(offset: number): void {
    this.#leave(status.transfer, this.#ipAt(offset));
  }

  jump(ip: Value): void {
    this.#leave(status.transfer, ip);
  }

  jumpRelative(_operand: Operand): void {
    this.#frame.branchTo(this.#offset + this.#instruction.length + Number(this.#instruction.immediate));
    this.ended = true;
  }

  leaveFault(): void {
    this.#leave(status.fault, this.#ipAt(this.#offset));
  }

  restart(): void {
    this.#leave(status.transfer, this.#ipAt(this.#offset));
  }

  finish(): void {
    this.pack();
    this.#finished = true;
    this.code.branch(this.#finishLabel as Label);
    this.ended = true;
  }

  /** Only slow paths that touch neither general registers nor the flow of control reach translated code. */
  host(name: HostCall, ...parameters: Value[]): void {
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
    this.pack();
    this.flagsWritten = true;
    this.flagsTouched = true;
    this.#storeFlags();
    this.storeState32(state.budget, this.get(this.#frame.budget));
    const outcome = this.let(
      callFor('i32', this.#frame.functions.host, [this.get(this.#frame.record), this.i32(hostCalls.indexOf(name))]),
    );
    this.set(this.#frame.budget, this.loadState32(state.budget));
    this.set(this.#flagResult, super.loadState64(state.flagResult));
    this.set(this.#flagAux, super.loadState32(state.flagAux));
    this.code.if(outcome, () => this.#cold(() => this.leaveFault()), undefined, false);
  }

  // Branches inside an instruction: flags must be known in one form where paths join.

  override if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#branch(condition, then, otherwise, undefined);
  }

  override ifUnlikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#branch(condition, then, otherwise, false);
  }

  override ifLikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#branch(condition, then, otherwise, true);
  }

  #branch(condition: Value, then: () => void, otherwise: (() => void) | undefined, likely: boolean | undefined): void {
    // With two arms neither can know what the other does to the flags; alone, `then` is made up for by an empty arm.
    if (otherwise !== undefined) this.pack();
    const before = this.pending;
    let afterThen: PendingFlags | undefined;
    const path = (emit: (() => void) | undefined, sibling: PendingFlags | undefined): PendingFlags | undefined => {
      this.pending = before;
      this.ended = false;
      emit?.();
      if (this.ended) return undefined;
      if (this.pending !== before || (sibling !== undefined && sibling !== before)) this.pack();
      return this.pending;
    };
    let afterElse: PendingFlags | undefined;
    this.code.if(
      condition,
      () => {
        afterThen = path(then, undefined);
      },
      () => {
        afterElse = path(otherwise, afterThen);
      },
      likely,
    );
    this.ended = afterThen === undefined && afterElse === undefined;
    this.pending = afterElse ?? afterThen ?? packed;
  }

  override loop(body: (again: Label) => void): void {
    this.pack();
    this.#eager++;
    this.code.loop(body);
    this.#eager--;
  }

  override block(body: (leave: Label) => void): void {
    this.pack();
    this.#eager++;
    this.code.block(body);
    this.#eager--;
    this.ended = false;
  }

  // Flags

  override flagResult(): Value {
    this.pack();
    this.flagsTouched = true;
    return this.get(this.#flagResult);
  }

  override flagAux(): Value {
    this.pack();
    this.flagsTouched = true;
    return this.get(this.#flagAux);
  }

  override setFlagResult(value: Value): void {
    this.#touchFlags();
    this.set(this.#flagResult, value);
    this.pending = packed;
  }

  override setFlagAux(value: Value): void {
    this.#touchFlags();
    this.set(this.#flagAux, value);
    this.pending = packed;
  }

  #touchFlags(): void {
    this.flagsTouched = true;
    this.flagsWritten = true;
  }

  /** Brings the flags into the two flag locals. */
  pack(): void {
    const { pending } = this;
    if (pending.kind === 'packed') return;
    this.pending = packed;
    if (pending.kind === 'logic') super.setFlagsLogic(pending.bits, pending.result);
    else if (pending.kind === 'add') super.setFlagsAdd(pending.bits, pending.a, pending.b, pending.result);
    else super.setFlagsSub(pending.bits, pending.a, pending.b, pending.result);
  }

  #keep(slot: 'a' | 'b' | 'result', value: Value): Value {
    const local = this.#flagOperands[slot][value.type as 'i32' | 'i64'];
    this.set(local, value);
    return this.get(local);
  }

  override setFlagsLogic(bits: Bits, result: Value): void {
    if (this.#eager > 0) {
      super.setFlagsLogic(bits, result);
      return;
    }
    this.pending = { kind: 'logic', bits, result: this.#keep('result', result) };
  }

  override setFlagsAdd(bits: Bits, a: Value, b: Value, result: Value, carried = false): void {
    this.#arithmetic('add', bits, { a, b, result, carried });
  }

  override setFlagsSub(bits: Bits, a: Value, b: Value, result: Value, borrowed = false): void {
    this.#arithmetic('sub', bits, { a, b, result, carried: borrowed });
  }

  #arithmetic(kind: 'add' | 'sub', bits: Bits, x: { a: Value; b: Value; result: Value; carried: boolean }): void {
    if (this.#eager > 0 || x.carried) {
      if (kind === 'add') super.setFlagsAdd(bits, x.a, x.b, x.result);
      else super.setFlagsSub(bits, x.a, x.b, x.result);
      return;
    }
    const [a, b, result] = [this.#keep('a', x.a), this.#keep('b', x.b), this.#keep('result', x.result)];
    this.pending = { kind, bits, a, b, result };
  }

  override cf(): Value {
    const { pending } = this;
    if (pending.kind === 'logic') return this.i32(0);
    if (pending.kind === 'sub')
      return this.ltU(this.zeroExtend(pending.a, pending.bits), this.zeroExtend(pending.b, pending.bits));
    if (pending.kind === 'add') {
      return this.ltU(this.zeroExtend(pending.result, pending.bits), this.zeroExtend(pending.a, pending.bits));
    }
    return super.cf();
  }

  override zf(): Value {
    const { pending } = this;
    if (pending.kind === 'packed') return super.zf();
    if (pending.kind === 'sub' && pending.bits >= 32) return this.eq(pending.a, pending.b);
    return this.isZero(this.zeroExtend(pending.result, pending.bits));
  }

  override sf(): Value {
    const { pending } = this;
    if (pending.kind === 'packed') return super.sf();
    return this.signBit(pending.result, pending.bits);
  }

  override of(): Value {
    return this.pending.kind === 'logic' ? this.i32(0) : super.of();
  }

  override condition(code: number): Value {
    const { pending } = this;
    if (pending.kind === 'sub' && code >= 12) {
      const a = this.signExtend(pending.a, pending.bits);
      const b = this.signExtend(pending.b, pending.bits);
      if (code === 12) return this.ltS(a, b);
      if (code === 13) return this.geS(a, b);
      return code === 14 ? this.isZero(this.gtS(a, b)) : this.gtS(a, b);
    }
    if (pending.kind === 'sub' && (code === 6 || code === 7)) {
      const above = this.gtU(this.zeroExtend(pending.a, pending.bits), this.zeroExtend(pending.b, pending.bits));
      return code === 7 ? above : this.isZero(above);
    }
    return super.condition(code);
  }
}
