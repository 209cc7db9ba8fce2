/** The translator's flags: kept as what they follow from, computed where they are wanted. */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import type { Local, Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { type PendingFlags, packed } from './pending-flags.ts';
import { type RegionFrame, TranslatorRegisters } from './translator-registers.ts';

export abstract class TranslatorFlags extends TranslatorRegisters {
  readonly #flagOperands: Record<'a' | 'b' | 'result', Record<'i32' | 'i64', Local>>;
  pending: PendingFlags = packed;
  /** Inside loops of an instruction flags are set at once. */
  #eager = 0;
  /** The emitted code cannot get past this point. */
  ended = false;

  constructor(code: CodeBuilder, frame: RegionFrame) {
    super(code, frame);
    const pair = (): Record<'i32' | 'i64', Local> => ({ i32: code.local('i32'), i64: code.local('i64') });
    this.#flagOperands = { a: pair(), b: pair(), result: pair() };
  }

  /** Code that leaves: what it does to the notion of the flags does not count for the code after it. */
  protected cold(emit: () => void): void {
    const { pending, ended } = this;
    emit();
    this.pending = pending;
    this.ended = ended;
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
    return this.get(this.flagResultLocal);
  }

  override flagAux(): Value {
    this.pack();
    this.flagsTouched = true;
    return this.get(this.flagAuxLocal);
  }

  override setFlagResult(value: Value): void {
    this.#touchFlags();
    this.set(this.flagResultLocal, value);
    this.pending = packed;
  }

  override setFlagAux(value: Value): void {
    this.#touchFlags();
    this.set(this.flagAuxLocal, value);
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
