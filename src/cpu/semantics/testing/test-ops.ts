/**
 * The simplest user of the semantics: registers at fixed places, flat memory without paging. Emits one instruction form
 * as one WebAssembly function that returns an `outcome`.
 */
import { vector } from '../../../spec/x86/exceptions.ts';
import { loadFrom } from '../../../wasm/expression.ts';
import type { Value } from '../../../wasm/types.ts';
import { loadOpcode, memoryType, storeOpcode } from '../../emit/access-opcodes.ts';
import type { Operand, OperandField } from '../../emit/form.ts';
import type { HostCall } from '../../emit/host-calls.ts';
import { type Access, Ops } from '../../emit/ops.ts';
import type { WideExchange } from '../../emit/wide-exchange.ts';
import { segmentAt, segmentField, segmentIndex, state } from '../../state/layout.ts';

export const outcome = { next: 0, fault: 1, jump: 2, restart: 3 } as const;

/** Where an operand of each field lies: RBX, RSI, R8 (or vector registers 1 for reg, 2 for rm); memory operands at [R9]. */
const registerOf = { rm: 3, reg: 6, vvvv: 8, memory: 9, immediate: 0, fixed: 0 } as const satisfies Record<
  OperandField,
  number
>;

/** Words of the state block that the CPU does not use. */
export const testState = { immediate: 0x4a8, immediate2: 0x4b0, basedOnStack: 0x4b8, hostCalls: 0x4c0 } as const;

/** Guest memory: all below `limit` can be read; `readOnly` to `limit` cannot be written. */
export const guestMap = { readOnly: 0xe000, limit: 0xf000 } as const;

/** Linear base of FS, the segment of memory operands in tests of 64-bit code. */
export const fsBase = 0x40n;

export class TestOps extends Ops {
  /** No bulk transfers: every element takes the plain way. */
  copyInPage(): Value {
    return this.i32(0);
  }

  fillInPage(): Value {
    return this.i32(0);
  }

  charge(): void {}

  lockBus(): void {}

  unlockBus(): void {}

  exchangeWide(_linear: Value, _exchange: WideExchange, otherwise: () => void): void {
    otherwise();
  }

  enableInterrupts(): void {
    this.host('sti');
  }

  protected registerAddress(operand: Operand): Value {
    if (operand.field === 'fixed') return this.i32(operand.address as number);
    if (operand.kind === 'segment') return this.i32(segmentAt(segmentIndex.gs) + segmentField.selector);
    if (operand.kind === 'xmm') return this.i32(state.xmm + (operand.field === 'reg' ? 16 : 32));
    if (operand.kind === 'mmx') return this.i32(state.fpr + (operand.field === 'reg' ? 16 : 32));
    return this.i32(state.gpr + registerOf[operand.field] * 8);
  }

  immediate(operand: Operand, bits = operand.bits): Value {
    if (operand.field === 'fixed') return this.constantOf(bits, operand.address as number);
    if (bits === 64) return this.loadState64(testState.immediate);
    return this.let(this.zeroExtend(this.loadState32(testState.immediate), bits));
  }

  immediate2(): Value {
    return this.loadState32(testState.immediate2);
  }

  effectiveAddress(_operand: Operand, byteOffset = 0): Value {
    const base = this.loadState64(state.gpr + registerOf.memory * 8);
    return this.zeroExtend(this.add(base, byteOffset), this.form.addressSize);
  }

  basedOnStack(): Value {
    return this.loadState32(testState.basedOnStack);
  }

  linearOf(effective: Value, _bytes: number, _access: Access): Value {
    return this.let(this.long ? this.add(effective, this.i64(fsBase)) : effective);
  }

  linearIn(_segment: number, offset: Value): Value {
    return this.let(offset);
  }

  #check(linear: Value, bytes: number, limit: number): void {
    this.ifUnlikely(this.gtU(linear, limit - bytes), () => this.raise(vector.pf, this.i32(0)));
  }

  loadMemory(linear: Value, bytes: number, type = memoryType(bytes)): Value {
    this.#check(linear, bytes, guestMap.limit);
    return this.let(loadFrom(loadOpcode(bytes, type), type, this.wrap(linear), 0, 1));
  }

  storeMemory(linear: Value, bytes: number, value: Value): void {
    this.#check(linear, bytes, guestMap.readOnly);
    this.code.store(storeOpcode(bytes, value.type), this.wrap(linear), value, 0, 1);
  }

  modifyMemory(linear: Value, bytes: number, change: (old: Value) => Value): Value {
    this.#check(linear, bytes, guestMap.readOnly);
    const old = this.loadMemory(linear, bytes);
    this.storeMemory(linear, bytes, change(old));
    return old;
  }

  probeWrite(linear: Value, bytes: number): void {
    this.#check(linear, bytes, guestMap.readOnly);
  }

  protected segmentBase(): Value {
    return this.i64(this.long ? fsBase : 0n);
  }

  currentIp(): Value {
    return this.loadState64(state.rip);
  }

  nextIp(): Value {
    return this.loadState64(state.rip);
  }

  jump(ip: Value): void {
    this.storeState64(state.rip, ip);
    this.code.return(this.i32(outcome.jump));
  }

  jumpRelative(_operand: Operand): void {
    const target = this.add(this.nextIp(), this.loadState64(testState.immediate));
    this.jump(this.zeroExtend(target, this.form.operandSize));
  }

  leaveFault(): void {
    this.code.return(this.i32(outcome.fault));
  }

  finish(): void {
    this.code.return(this.i32(outcome.next));
  }

  operandIsFlat(): Value {
    return this.i32(1);
  }

  restart(): void {
    this.code.return(this.i32(outcome.restart));
  }

  host(_name: HostCall, ...parameters: Value[]): void {
    this.storeState32(testState.hostCalls, this.add(this.loadState32(testState.hostCalls), 1));
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
  }
}
