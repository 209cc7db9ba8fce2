/** What the translator has to know of an instruction before it emits it, found out by emitting it once for nobody. */

import type { Label } from '../../wasm/code-builder.ts';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import type { Instruction } from '../decode/instruction.ts';
import type { Operand } from '../emit/form.ts';
import { formOf, locksBus } from '../emit/forms.ts';
import { type HostCall, segmentLoads } from '../emit/host-calls.ts';
import type { Semantics } from '../emit/ops.ts';
import { emitHandler } from '../interpret/emit-handler.ts';
import { handlerType } from '../interpret/handler-keys.ts';
import { InterpreterOps } from '../interpret/interpreter-ops.ts';
import type { SharedFunctions } from '../interpret/shared-types.ts';
import { type RowFacts, rowFacts } from '../isa/row-facts.ts';
import { type FlagEffect, flagWord } from './flag-liveness.ts';

/**
 * Slow paths that translated code may call: they touch neither general registers nor flags nor control flow. Where a segment makes
 * another kind of code of what runs, the region is left at once (`Ops.findAnew`).
 */
const allowedCalls: ReadonlySet<HostCall> = new Set(['sse', ...segmentLoads]);

const nowhere: SharedFunctions = {
  segmentLinear: 0,
  readSlow: 0,
  readForWriteSlow: 0,
  writeSlow: 0,
  openPage: 0,
  host: 0,
  settle: 0,
  find: 0,
  goOn: 0,
  mustEnd: 0,
  lockBus: 0,
  unlockBus: 0,
  exchangeWide: 0,
};

export interface FormFacts extends FlagEffect {
  /** Its semantics stay clear of the slow paths that translated code cannot take. */
  readonly translatable: boolean;
}

/** Takes immediates from the instruction, as the translator does, and notes what becomes of the flags. */
class ProbingOps extends InterpreterOps {
  translatable = true;
  uses = 0;
  kills = 0;
  readonly #immediate: bigint;
  /** Depth of branches, or beyond a way out: what happens there does not happen always. */
  #conditional = 0;

  constructor(code: CodeBuilder, immediate: bigint) {
    super(code, code.parameter(0), nowhere);
    this.#immediate = immediate;
  }

  override get flat(): boolean {
    return true;
  }

  override immediate(operand: Operand, bits = operand.bits): Value {
    if (operand.field === 'fixed') return super.immediate(operand, bits);
    return this.constantOf(bits, bits === 64 ? this.#immediate : BigInt.asUintN(bits, this.#immediate));
  }

  override immediate2(): Value {
    return i32Constant(0);
  }

  override host(name: HostCall): void {
    if (!allowedCalls.has(name)) this.translatable = false;
  }

  /** What an atomic access cannot do is left to the interpreter. */
  protected override withBusLocked(emit: () => void): void {
    emit();
  }

  override lockBus(): void {
    this.translatable = false;
  }

  override exchangeWide(): void {
    this.translatable = false;
  }

  override enableInterrupts(): void {}

  /** The translator leaves rare cases to the interpreter. */
  override rarely(): void {}

  override finish(): void {
    this.#conditional++;
    super.finish();
  }

  override if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#within(() => super.if(condition, then, otherwise));
  }

  override ifUnlikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#within(() => super.ifUnlikely(condition, then, otherwise));
  }

  override ifLikely(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#within(() => super.ifLikely(condition, then, otherwise));
  }

  override loop(body: (again: Label) => void): void {
    this.#within(() => super.loop(body));
  }

  override block(body: (leave: Label) => void): void {
    this.#within(() => super.block(body));
  }

  #within(emit: () => void): void {
    this.#conditional++;
    emit();
    this.#conditional--;
  }

  override flagResult(): Value {
    this.#use(flagWord.result);
    return super.flagResult();
  }

  override flagAux(): Value {
    this.#use(flagWord.aux);
    return super.flagAux();
  }

  override setFlagResult(value: Value): void {
    if (this.#conditional === 0) this.kills |= flagWord.result;
    super.setFlagResult(value);
  }

  override setFlagAux(value: Value): void {
    if (this.#conditional === 0) this.kills |= flagWord.aux;
    super.setFlagAux(value);
  }

  #use(word: number): void {
    this.uses |= word & ~this.kills;
  }
}

export class FormFactsTable {
  readonly #known = new Map<number, FormFacts>();
  readonly #semantics: Readonly<Record<string, Semantics>>;
  readonly #features: ReadonlySet<string>;
  readonly #atomic: boolean;

  constructor(semantics: Readonly<Record<string, Semantics>>, features: ReadonlySet<string>, atomic: boolean) {
    this.#semantics = semantics;
    this.#features = features;
    this.#atomic = atomic;
  }

  /** @param long 64-bit code; otherwise 32-bit code with flat segments */
  of(instruction: Instruction, long: boolean): FormFacts {
    const { row, operandSize, addressSize, registerForm, repeat, immediate } = instruction;
    const form = (operandSize >> 5) * 6 + (addressSize >> 5) * 2 + (registerForm ? 1 : 0);
    const count = (repeat === 0 ? 0 : repeat === 0xf3 ? 1 : 2) * 64 + Number(immediate & 63n);
    const locked = this.#atomic && locksBus(rowFacts[row.id] as RowFacts, instruction);
    const key = ((row.id * 18 + form) * 192 + count) * 4 + (locked ? 2 : 0) + (long ? 1 : 0);
    let facts = this.#known.get(key);
    if (facts === undefined) {
      facts = this.#probe(instruction, long, locked);
      this.#known.set(key, facts);
    }
    return facts;
  }

  #probe(instruction: Instruction, long: boolean, locked: boolean): FormFacts {
    const { row, operandSize, addressSize, registerForm, repeat, immediate } = instruction;
    const missing = row.feature !== undefined && !this.#features.has(row.feature);
    if (missing || this.#semantics[row.semantics] === undefined) return { translatable: false, uses: 3, kills: 0 };
    const ops = new ProbingOps(new CodeBuilder(handlerType.parameters), immediate);
    const form = formOf(row, { operandSize, addressSize, registerForm, repeat, long, locked });
    emitHandler(ops, form, this.#semantics);
    const { translatable, uses, kills } = ops;
    return { translatable, uses, kills };
  }
}
