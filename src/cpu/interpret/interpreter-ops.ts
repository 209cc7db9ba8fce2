/**
 * The interpreter's side of the semantics: operands come from the decoded record that `rec` points to. One emission
 * serves every instruction of a form. Handlers are inlined into the dispatch loop or stand as functions of their own;
 * `Exits` hides the difference.
 */

import { eflags } from '../../spec/x86/registers.ts';
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import { callFor, extendUnsigned, loadFrom } from '../../wasm/expression.ts';
import type { Local, Value, ValueType } from '../../wasm/types.ts';
import { guestRam, loadOpcode, memoryType, storeOpcode } from '../emit/access-opcodes.ts';
import { emitCopy, emitFill } from '../emit/bulk-moves.ts';
import { isFlatNow } from '../emit/code-kind.ts';
import { exchangeInRam } from '../emit/exchange-in-ram.ts';
import type { Operand } from '../emit/form.ts';
import { type HostCall, hostCalls } from '../emit/host-calls.ts';
import { type Access, Ops, rsp } from '../emit/ops.ts';
import { segmentOffset } from '../emit/segment-offset.ts';
import { type Probe, tlbEntry } from '../emit/tlb-entry.ts';
import { emitWideExchange, type WideExchange } from '../emit/wide-exchange.ts';
import { isStepped, mayInterrupt } from '../semantics/interruptible.ts';
import { segmentAt, segmentField, segmentIndex, state, tlb } from '../state/layout.ts';
import { record } from './record.ts';
import type { SharedFunctions } from './shared-types.ts';
import { status } from './status.ts';

export interface InlineExits {
  readonly next: Label;
  readonly transfer: Label;
  readonly linked: Label;
  readonly leave: Label;
  readonly status: Local;
  readonly target: Local;
  /** For `transfer`: the record of a direct jump, which remembers where it leads; 0 for others. */
  readonly from: Local;
  readonly link: Local;
}

/** Added to the byte count of a slow access by way of the stack segment: not canonical, it is #SS instead of #GP. */
export const stackAccess = 0x100;
/** Added likewise by translated code: it must not overwrite decoded code, which may be its own, nor wait for other processors. */
export const regionAccess = 0x200;

export class InterpreterOps extends Ops {
  readonly #rec: Local;
  readonly #exits: InlineExits | undefined;
  readonly #functions: SharedFunctions;

  constructor(code: CodeBuilder, rec: Local, functions: SharedFunctions, exits?: InlineExits) {
    super(code);
    this.#rec = rec;
    this.#functions = functions;
    this.#exits = exits;
  }

  get #record(): Value {
    return this.get(this.#rec);
  }

  override isFlat(): Value {
    return this.long ? super.isFlat() : isFlatNow(this);
  }

  operandIsFlat(): Value {
    return this.long ? this.i32(1) : this.ltU(this.loadState8(this.#record, record.segment), segmentIndex.fs);
  }

  protected registerAddress(operand: Operand): Value {
    if (operand.field === 'fixed') return this.i32(operand.address as number);
    const field = operand.field === 'reg' ? record.reg : operand.field === 'vvvv' ? record.vvvv : record.rm;
    return this.loadState16(this.#record, field);
  }

  immediate(operand: Operand, bits = operand.bits): Value {
    if (operand.field === 'fixed') return this.constantOf(bits, operand.address as number);
    if (bits === 64) return this.loadState64(this.#record, record.immediate);
    if (bits === 8) return this.loadState8(this.#record, record.immediate);
    if (bits === 16) return this.loadState16(this.#record, record.immediate);
    return this.loadState32(this.#record, record.immediate);
  }

  immediate2(): Value {
    return this.loadState32(this.#record, record.immediate2);
  }

  effectiveAddress(_operand: Operand, byteOffset = 0): Value {
    const register = (field: number): Value => this.loadState64(this.loadState16(this.#record, field));
    const index = this.shl(register(record.index), extendUnsigned(this.loadState8(this.#record, record.scale)));
    const displacement = this.loadState64(this.#record, record.displacement);
    const sum = this.add(this.add(this.add(register(record.base), index), displacement), byteOffset);
    return this.zeroExtend(sum, this.form.addressSize);
  }

  basedOnStack(_operand: Operand): Value {
    return this.eq(this.loadState16(this.#record, record.base), rsp);
  }

  #segmentAddress(): Value {
    return this.shl(this.loadState8(this.#record, record.segment), 5);
  }

  protected segmentBase(): Value {
    return this.loadState64(this.#segmentAddress(), state.segments + segmentField.base);
  }

  linearOf(effective: Value, bytes: number, access: Access): Value {
    if (this.long) {
      return this.let(
        this.add(effective, this.loadState64(this.#segmentAddress(), state.segments + segmentField.base)),
      );
    }
    return this.#checkedLinear(this.add(this.#segmentAddress(), state.segments), effective, bytes, access);
  }

  linearIn(segment: number, offset: Value, bytes: number, access: Access): Value {
    if (!this.long) return this.#checkedLinear(this.i32(segmentAt(segment)), offset, bytes, access);
    const based = segment === segmentIndex.fs || segment === segmentIndex.gs;
    const linear = this.let(
      based ? this.add(offset, this.loadState64(segmentAt(segment) + segmentField.base)) : offset,
    );
    this.impliedSegments.set(linear, segment);
    return linear;
  }

  #checkedLinear(segmentAddress: Value, offset: Value, bytes: number, access: Access): Value {
    const segment = this.let(segmentAddress);
    return segmentOffset(this, { segment, offset, bytes, access }, (parameters) => {
      const linear = this.let(callFor('i64', this.#functions.segmentLinear, parameters));
      this.ifUnlikely(this.loadState32(state.fault), () => this.leaveFault());
      return linear;
    });
  }

  /** Looks `linear` up in the read or write table, which lies `table` above the TLB set's start. */
  #probe(linear: Value, bytes: number, table: number): Probe {
    const entry = this.let(tlbEntry(this, this.loadState32(state.tlbBase), linear));
    const tag = this.let(this.loadState64(entry, table + tlb.tag));
    const hit = this.eq(tag, this.and(this.add(linear, bytes - 1), -4096n));
    const ram = this.add(this.wrap(linear), this.loadState32(entry, table + tlb.addend));
    return { hit, tag, ram };
  }

  #scratchValue(bytes: number, type: ValueType): Value {
    return loadFrom(loadOpcode(bytes, type), type, this.i32(0), state.scratch, 0);
  }

  #callSlow(functionIndex: number, linear: Value, bytes: number, tag: Value): void {
    const failed = callFor('i32', functionIndex, [linear, this.#accessArgument(linear, bytes), tag]);
    this.ifUnlikely(failed, () => this.leaveFault());
  }

  /** `bytes`, marked if `linear` comes from the stack segment; outside 64-bit mode the segment is checked already. */
  #accessArgument(linear: Value, bytes: number): Value {
    if (!this.long) return this.i32(bytes);
    const implied = this.impliedSegments.get(linear);
    if (implied !== undefined) return this.i32(implied === segmentIndex.flatStack ? bytes | stackAccess : bytes);
    const onStack = this.eq(this.loadState8(this.#record, record.segment), segmentIndex.flatStack);
    return this.select(onStack, this.i32(bytes | stackAccess), this.i32(bytes));
  }

  loadMemory(linear: Value, bytes: number, type = memoryType(bytes)): Value {
    const result = this.variable(type);
    const probe = this.#probe(linear, bytes, 0);
    this.ifLikely(
      probe.hit,
      () => {
        this.set(result, loadFrom(loadOpcode(bytes, type), type, probe.ram, 0, guestRam));
      },
      () => {
        this.#callSlow(this.#functions.readSlow, linear, bytes, probe.tag);
        this.set(result, this.#scratchValue(bytes, type));
      },
    );
    return this.get(result);
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    const bound = this.let(value);
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.ifLikely(
      probe.hit,
      () => this.#storeRam(probe.ram, bytes, bound),
      () => this.#storeSlow(linear, bytes, bound, probe.tag),
    );
  }

  #storeRam(address: Value, bytes: number, value: Value): void {
    this.code.store(storeOpcode(bytes, value.type), address, value, 0, guestRam);
  }

  #storeSlow(linear: Value, bytes: number, value: Value, tag: Value): void {
    this.code.store(storeOpcode(bytes, value.type), this.i32(0), value, state.scratch, 0);
    this.#callSlow(this.#functions.writeSlow, linear, bytes, tag);
  }

  modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    return this.form.locked ? this.#modifyLocked(linear, bytes, change) : this.#modify(linear, bytes, change);
  }

  /** What lies badly for the host, or is no RAM, or code, is changed while the other processors stand still. */
  #modifyLocked(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    const old = this.variable(memoryType(bytes));
    this.probeWrite(linear, bytes);
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    const aligned = this.isZero(this.and(this.wrap(linear), bytes - 1));
    this.ifLikely(
      this.and(probe.hit, aligned),
      () => exchangeInRam(this, this.let(probe.ram), bytes, old, change),
      () => {
        this.withBusLocked(() => this.set(old, this.#modify(linear, bytes, change)));
      },
    );
    return this.get(old);
  }

  protected withBusLocked(emit: () => void): void {
    this.lockBus();
    emit();
    this.unlockBus();
  }

  lockBus(): void {
    this.ifUnlikely(callFor('i32', this.#functions.lockBus, []), () => this.host('lock-bus'));
  }

  unlockBus(): void {
    this.code.call(this.#functions.unlockBus, []);
  }

  exchangeWide(linear: Value, exchange: WideExchange, otherwise: () => void): void {
    const probe = this.#probe(linear, 16, tlb.writeOffset);
    emitWideExchange(this, probe, this.#functions.exchangeWide, exchange, otherwise);
  }

  #modify(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    const type = memoryType(bytes);
    const old = this.variable(type);
    const address = this.variable('i32');
    const direct = this.variable('i32');
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.set(direct, probe.hit);
    this.ifLikely(
      this.get(direct),
      () => {
        this.set(address, probe.ram);
        this.set(old, loadFrom(loadOpcode(bytes, type), type, this.get(address), 0, guestRam));
      },
      () => {
        this.#callSlow(this.#functions.readForWriteSlow, linear, bytes, probe.tag);
        this.set(old, this.#scratchValue(bytes, type));
        this.set(address, this.i32(0)); // Or what the local held is kept for it, over all rounds of the loop.
      },
    );
    const changed = this.let(change(this.get(old)));
    this.ifLikely(
      this.get(direct),
      () => this.#storeRam(this.get(address), bytes, changed),
      () => this.#storeSlow(linear, bytes, changed, probe.tag),
    );
    return this.get(old);
  }

  copyInPage(source: Value, target: Value, bytes: Value, down: Value): Value {
    const from = this.#opened(source, 0, this.i32(0), this.i32(1));
    return emitCopy(this, from, this.#opened(target, tlb.writeOffset, this.wrap(bytes), from.hit), bytes, down);
  }

  fillInPage(target: Value, bytes: Value, element: Value, elementBytes: number): Value {
    const open = (wanted: Value): Probe => this.#opened(target, tlb.writeOffset, this.wrap(bytes), wanted);
    return emitFill(this, open, bytes, element, elementBytes);
  }

  /**
   * Looks for a page in the read or write table, and tries to have it there if `wanted`. Its place is bound: another page may take
   * its entry. @param bytes that are going to be written there, if any
   */
  #opened(linear: Value, table: number, bytes: Value, wanted: Value): Probe {
    const { hit, tag, ram } = this.#probe(linear, 1, table);
    const isOpen = this.variable('i32', hit);
    this.ifUnlikely(this.and(wanted, this.isZero(this.get(isOpen))), () => {
      this.set(isOpen, callFor('i32', this.#functions.openPage, [linear, bytes, this.i32(table)]));
    });
    return { hit: this.get(isOpen), tag, ram: this.let(ram) };
  }

  probeWrite(linear: Value, bytes: number): void {
    const probe = this.#probe(linear, bytes, tlb.writeOffset);
    this.ifUnlikely(this.isZero(probe.hit), () => {
      this.#callSlow(this.#functions.readForWriteSlow, linear, bytes, probe.tag);
    });
  }

  currentIp(): Value {
    return this.#cutIp(
      this.add(this.loadState64(state.codeBase), this.extendU(this.loadState16(this.#record, record.pageOffset))),
    );
  }

  #cutIp(ip: Value): Value {
    return this.long ? ip : this.and(ip, 0xffff_ffffn);
  }

  nextIp(): Value {
    const offset = this.add(
      this.loadState16(this.#record, record.pageOffset),
      this.loadState8(this.#record, record.length),
    );
    return this.let(this.#cutIp(this.add(this.loadState64(state.codeBase), this.extendU(offset))));
  }

  jump(ip: Value): void {
    this.#jumpFrom(this.i32(0), ip);
  }

  #jumpFrom(from: Value, ip: Value): void {
    if (this.#exits === undefined) {
      this.storeState64(state.rip, ip);
      this.code.return(this.i32(status.transfer));
    } else {
      this.set(this.#exits.target, ip);
      this.set(this.#exits.from, from);
      this.branch(this.#exits.transfer);
    }
  }

  jumpRelative(operand: Operand): void {
    const exits = this.#exits;
    if (exits !== undefined) {
      this.set(exits.link, this.loadState32(this.#record, record.link));
      this.branchIf(this.get(exits.link), exits.linked);
    }
    const distance = this.extendS(this.loadState32(this.#record, record.immediate));
    const target = this.add(this.nextIp(), distance);
    if (this.long) {
      this.#jumpFrom(this.#record, target);
      return;
    }
    const cut = this.let(this.and(target, this.form.operandSize === 16 ? 0xffffn : 0xffff_ffffn));
    this.jump(this.checkedTarget(cut, operand.bits));
  }

  leave(code: Value): void {
    if (this.#exits === undefined) {
      this.code.return(code);
    } else {
      this.set(this.#exits.status, code);
      this.branch(this.#exits.leave);
    }
  }

  leaveFault(): void {
    this.leave(this.i32(status.fault));
  }

  finish(): void {
    if (this.#exits === undefined) this.code.return(this.i32(status.next));
    else this.branch(this.#exits.next);
  }

  restart(): void {
    this.jump(this.currentIp());
  }

  charge(cost: Value): void {
    const bound = this.let(cost);
    this.storeState32(state.budget, this.sub(this.loadState32(state.budget), bound));
    this.storeState32(state.extraCost, this.add(this.loadState32(state.extraCost), bound));
  }

  host(name: HostCall, ...parameters: Value[]): void {
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
    const number = hostCalls.indexOf(name);
    const outcome = this.let(callFor('i32', this.#functions.host, [this.#record, this.i32(number)]));
    this.ifUnlikely(outcome, () => this.leave(outcome));
  }

  /**
   * Without an interrupt that waits, nothing needs to be held off now: it is enough to remember where not to let one in.
   * SDM Vol. 2B "STI".
   */
  enableInterrupts(): void {
    this.ifUnlikely(this.or(mayInterrupt(this), isStepped(this)), () => this.host('sti'));
    this.storeState32(state.eflags, this.or(this.loadState32(state.eflags), eflags.if));
    this.storeState64(state.afterSti, this.nextIp());
  }
}
