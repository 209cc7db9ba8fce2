/** The translator's flags: kept as what they follow from, computed where they are wanted. */
import type { CodeBuilder, Label } from '../../wasm/code-builder.ts';
import type { Local, Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import {
  comparedNumbers,
  type DeferredOperation,
  deferredKind,
  encodingOf,
  order,
  type ShiftOperation,
} from '../emit/flags.ts';
import { state } from '../state/layout.ts';
import { type Known, knownOnBoth } from './known-facts.ts';
import { type PendingFlags, packed, unknown } from './pending-flags.ts';
import { faultSite, type RegionFrame } from './translator-registers.ts';
import { TranslatorVectors } from './translator-vectors.ts';

interface FlagLocals {
  readonly kind: Local;
  readonly a: Local;
  readonly b: Local;
  readonly result: Local;
  readonly aux: Local;
}

export abstract class TranslatorFlags extends TranslatorVectors {
  readonly #locals: FlagLocals;
  #touched = false;
  pending: PendingFlags = packed;
  /** Inside loops of an instruction flags are set at once. */
  #eager = 0;
  /** The emitted code cannot get past this point. */
  ended = false;

  constructor(code: CodeBuilder, frame: RegionFrame) {
    super(code, frame);
    const [kind, a, b, result] = [code.local('i32'), code.local('i64'), code.local('i64'), code.local('i64')];
    this.#locals = { kind, a, b, result, aux: code.local('i32') } as FlagLocals;
  }

  /** For the prologue: `computed` if an instruction may want the flags that the region is entered with. */
  loadFlags(computed: boolean): void {
    if (!this.#touched) return;
    const { kind, a, b, result, aux } = this.#locals;
    if (computed) {
      this.code.if(this.loadState32(state.flagKind), () => this.code.call(this.frame.functions.settle, []));
    } else {
      this.set(kind, this.loadState32(state.flagKind));
      this.set(a, super.loadState64(state.flagA));
      this.set(b, super.loadState64(state.flagB));
    }
    this.set(result, super.loadState64(state.flagResult));
    this.set(aux, this.loadState32(state.flagAux));
  }

  /** For the epilogues. @param kind i32: how the flags are known */
  storeFlags(kind: Value = this.get(this.#locals.kind)): void {
    if (!this.#touched) return;
    const { a, b, result, aux } = this.#locals;
    this.storeState32(state.flagKind, kind);
    super.storeState64(state.flagA, this.get(a));
    super.storeState64(state.flagB, this.get(b));
    super.storeState64(state.flagResult, this.get(result));
    this.storeState32(state.flagAux, this.get(aux));
  }

  /** The flag kind that a fault site ends with: i32. */
  faultFlags(site: Value): Value {
    const kind = this.let(faultSite.flags(this, site));
    return this.select(this.eq(kind, faultSite.locally), this.get(this.#locals.kind), kind);
  }

  /** `pending` as a number for a fault site. */
  protected get pendingNumber(): number {
    const { pending } = this;
    if (pending.kind === 'deferred') return pending.what.number;
    return pending.kind === 'packed' ? 0 : faultSite.locally;
  }

  /** Says in the local how the flags are known, for code that different ways lead to. */
  hand(): void {
    if (this.pending.kind === 'unknown') return;
    this.#touched = true;
    this.set(this.#locals.kind, this.i32(this.pendingNumber));
  }

  /** Code that leaves: what it does to the notion of the flags does not count for the code after it. */
  protected cold(emit: () => void): void {
    const { pending, ended, known } = this;
    emit();
    this.pending = pending;
    this.ended = ended;
    this.known = known;
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
    if (otherwise !== undefined) this.hand();
    const before = this.pending;
    const { known } = this;
    const knownAfter: Known[] = [];
    let afterThen: PendingFlags | undefined;
    const path = (emit: (() => void) | undefined, sibling: PendingFlags | undefined): PendingFlags | undefined => {
      this.pending = before;
      this.ended = false;
      this.known = known;
      emit?.();
      if (this.ended) return undefined;
      knownAfter.push(this.known);
      if (this.pending === before && (sibling === undefined || sibling === before)) return before;
      this.hand();
      return unknown;
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
    this.known = knownAfter.reduce(knownOnBoth, knownAfter[0] ?? known);
    const both = afterThen !== undefined && afterElse !== undefined && afterThen !== afterElse;
    this.pending = both ? unknown : (afterElse ?? afterThen ?? packed);
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
    this.#touched = true;
    return this.get(this.#locals.result);
  }

  override flagAux(): Value {
    this.pack();
    this.#touched = true;
    return this.get(this.#locals.aux);
  }

  override setFlagResult(value: Value): void {
    this.#overwrite(this.#locals.result, value);
  }

  override setFlagAux(value: Value): void {
    this.#overwrite(this.#locals.aux, value);
  }

  /** Words are set one by one: the other one must be known by then. */
  #overwrite(word: Local, value: Value): void {
    this.#touched = true;
    this.set(word, value);
    this.pending = packed;
  }

  /** Brings the flags into the two words. */
  pack(): void {
    const { pending } = this;
    if (pending.kind === 'packed') return;
    this.pending = packed;
    if (pending.kind === 'unknown') {
      this.#resolve();
      return;
    }
    const { bits } = pending.what;
    this.#eager++;
    this.setDeferred(pending.what, this.#operand('a', bits), this.#operand('b', bits));
    this.#eager--;
  }

  /** Flags that different ways may have left differently are computed out of line. */
  #resolve(): void {
    this.#touched = true;
    const { kind, a, b, result, aux } = this.#locals;
    this.code.if(this.get(kind), () => {
      this.storeState32(state.flagKind, this.get(kind));
      super.storeState64(state.flagA, this.get(a));
      super.storeState64(state.flagB, this.get(b));
      this.code.call(this.frame.functions.settle, []);
      this.set(result, super.loadState64(state.flagResult));
      this.set(aux, this.loadState32(state.flagAux));
    });
  }

  #operand(name: 'a' | 'b', bits: Bits): Value {
    const value = this.get(this.#locals[name]);
    return bits === 64 ? value : this.wrap(value);
  }

  #defer(operation: DeferredOperation, bits: Bits, a: Value, b?: Value): void {
    this.#touched = true;
    this.set(this.#locals.a, this.extendU(a));
    if (b !== undefined) this.set(this.#locals.b, this.extendU(b));
    this.pending = { kind: 'deferred', what: deferredKind(operation, bits) };
  }

  override setFlagsLogic(bits: Bits, result: Value): void {
    if (this.#eager > 0) super.setFlagsLogic(bits, result);
    else this.#defer('logic', bits, result);
  }

  override setFlagsAdd(bits: Bits, a: Value, b: Value, result: Value, carried = false): void {
    if (this.#eager > 0 || carried) super.setFlagsAdd(bits, a, b, result);
    else this.#defer('add', bits, a, b);
  }

  override setFlagsSub(bits: Bits, a: Value, b: Value, result: Value, borrowed = false): void {
    if (this.#eager > 0 || borrowed) super.setFlagsSub(bits, a, b, result);
    else this.#defer('sub', bits, a, b);
  }

  override setFlagsStep(operation: 'inc' | 'dec', bits: Bits, result: Value, cf: Value): void {
    if (this.#eager > 0) super.setFlagsStep(operation, bits, result, cf);
    else this.#defer(operation, bits, result, cf);
  }

  override setFlagsShift(operation: ShiftOperation, bits: Bits, value: Value, count: Value): void {
    if (this.#eager > 0) super.setFlagsShift(operation, bits, value, count);
    else this.#defer(operation, bits, value, count);
  }

  override setFlagsOrder(a: Value, b: Value): void {
    if (this.#eager > 0) super.setFlagsOrder(a, b);
    else if (a.type === 'f64') this.#defer('order', 64, encodingOf(a), encodingOf(b));
    else this.#defer('order', 32, encodingOf(a), encodingOf(b));
  }

  /** The compared numbers, if the flags follow from a comparison. */
  #compared(): { a: Value; b: Value } | undefined {
    if (this.pending.kind !== 'deferred' || this.pending.what.operation !== 'order') return undefined;
    const { bits } = this.pending.what;
    return comparedNumbers(this.#operand('a', bits), this.#operand('b', bits));
  }

  /** The result of the deferred operation, if it is had for less than the flag words. */
  #deferredResult(): { value: Value; bits: Bits } | undefined {
    if (this.pending.kind !== 'deferred' || this.pending.what.operation === 'order') return undefined;
    const { operation, bits } = this.pending.what;
    const [a, b] = [this.#operand('a', bits), this.#operand('b', bits)];
    if (operation === 'logic' || operation === 'inc' || operation === 'dec') return { value: a, bits };
    if (operation === 'add') return { value: this.add(a, b), bits };
    if (operation === 'sub') return { value: this.sub(a, b), bits };
    return { value: this.shifted(operation as ShiftOperation, bits, a, b), bits };
  }

  override cf(): Value {
    const compared = this.#compared();
    if (compared !== undefined) return this.isZero(order.notLess(compared.a, compared.b));
    if (this.pending.kind !== 'deferred') return super.cf();
    const { operation, bits } = this.pending.what;
    const [a, b] = [this.#operand('a', bits), this.#operand('b', bits)];
    switch (operation) {
      case 'logic':
        return this.i32(0);
      case 'add':
        return this.ltU(this.zeroExtend(this.add(a, b), bits), this.zeroExtend(a, bits));
      case 'sub':
        return this.ltU(this.zeroExtend(a, bits), this.zeroExtend(b, bits));
      case 'inc':
      case 'dec':
        return this.wrap(b);
      default:
        return super.cf();
    }
  }

  override zf(): Value {
    const compared = this.#compared();
    if (compared !== undefined) {
      return this.isZero(this.or(order.less(compared.a, compared.b), order.greater(compared.a, compared.b)));
    }
    if (this.pending.kind === 'deferred' && this.pending.what.operation === 'sub' && this.pending.what.bits >= 32) {
      const { bits } = this.pending.what;
      return this.eq(this.#operand('a', bits), this.#operand('b', bits));
    }
    const result = this.#deferredResult();
    return result === undefined ? super.zf() : this.isZero(this.zeroExtend(result.value, result.bits));
  }

  override sf(): Value {
    if (this.#compared() !== undefined) return this.i32(0);
    const result = this.#deferredResult();
    return result === undefined ? super.sf() : this.signBit(result.value, result.bits);
  }

  override pf(): Value {
    const compared = this.#compared();
    if (compared !== undefined) return order.unordered(compared.a, compared.b);
    const result = this.#deferredResult();
    if (result === undefined) return super.pf();
    return this.xor(this.and(this.popcnt(this.and(this.wrap(result.value), 0xff)), 1), 1);
  }

  override of(): Value {
    const { pending } = this;
    const clear = pending.kind === 'deferred' && ['logic', 'order'].includes(pending.what.operation);
    return clear ? this.i32(0) : super.of();
  }

  override condition(code: number): Value {
    if (this.pending.kind !== 'deferred') return super.condition(code);
    const { operation, bits } = this.pending.what;
    const [a, b] = [this.#operand('a', bits), this.#operand('b', bits)];
    const negated = (value: Value): Value => ((code & 1) === 0 ? value : this.isZero(value));
    if (operation === 'sub' && code >= 12) {
      const [x, y] = [this.signExtend(a, bits), this.signExtend(b, bits)];
      return code < 14 ? negated(this.ltS(x, y)) : negated(this.leS(x, y));
    }
    if (operation === 'order' && code >> 1 === 3) {
      const compared = comparedNumbers(a, b);
      return negated(this.isZero(order.greater(compared.a, compared.b)));
    }
    if (operation === 'sub' && code >> 1 === 3) {
      return negated(this.leU(this.zeroExtend(a, bits), this.zeroExtend(b, bits)));
    }
    // Without overflow "less" is the sign, "less or equal" a comparison with 0.
    if (operation === 'logic' && code >= 12) {
      const value = this.signExtend(a, bits);
      return code < 14 ? negated(this.ltS(value, 0)) : negated(this.leS(value, 0));
    }
    return super.condition(code);
  }
}
