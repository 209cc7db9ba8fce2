/**
 * The translator's side of the semantics: operands are known, general registers live in WebAssembly locals for the
 * length of a region, flags are computed where they are wanted. This file: an instruction's frame and its ways out.
 */
import type { Label } from '../../wasm/code-builder.ts';
import { callFor } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import type { Instruction } from '../decode/instruction.ts';
import type { Operand } from '../emit/form.ts';
import { type HostCall, hostCalls } from '../emit/host-calls.ts';
import { status } from '../interpret/status.ts';
import { state } from '../state/layout.ts';
import { packed } from './pending-flags.ts';
import { TranslatorMemory } from './translator-memory.ts';

export class TranslatorOps extends TranslatorMemory {
  /** Instructions of the block after the running one. */
  remaining = 0;
  #finished = false;
  #finishLabel: Label | undefined;

  /** Emits `run` as the instruction at page offset `offset`. @returns whether it may have written memory. */
  instruction(instruction: Instruction, offset: number, run: () => void): boolean {
    const outer = {
      instruction: this.running,
      offset: this.runningAt,
      form: this.form,
      label: this.#finishLabel,
      finished: this.#finished,
      stored: this.stored,
    };
    this.setRunning(instruction, offset);
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
    if (outer.instruction !== undefined) this.setRunning(outer.instruction, outer.offset);
    this.form = outer.form;
    this.#finishLabel = outer.label;
    this.#finished = outer.finished;
    return stored;
  }

  // Control

  #ipAt(offset: number): Value {
    return this.add(this.get(this.frame.codeBase), BigInt(offset));
  }

  nextIp(): Value {
    return this.let(this.#ipAt(this.runningAt + this.running.length));
  }

  #leave(code: number, target: Value): void {
    // The block's instructions were all paid for when it was entered.
    const unspent = this.remaining + (code === status.fault ? 1 : 0);
    if (unspent > 0) this.set(this.frame.budget, this.add(this.get(this.frame.budget), unspent));
    this.set(this.frame.target, target);
    this.pack();
    this.set(this.frame.status, this.i32(code));
    this.code.branch(this.frame.exit);
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
    this.frame.branchTo(this.runningAt + this.running.length + Number(this.running.immediate));
    this.ended = true;
  }

  leaveFault(): void {
    this.#leave(status.fault, this.#ipAt(this.runningAt));
  }

  restart(): void {
    this.#leave(status.transfer, this.#ipAt(this.runningAt));
  }

  finish(): void {
    this.pack();
    this.#finished = true;
    this.code.branch(this.#finishLabel as Label);
    this.ended = true;
  }

  charge(cost: Value): void {
    const bound = this.let(cost);
    this.set(this.frame.budget, this.sub(this.get(this.frame.budget), bound));
    this.storeState32(state.extraCost, this.add(this.loadState32(state.extraCost), bound));
  }

  /** Only slow paths that touch neither general registers nor the flow of control reach translated code. */
  host(name: HostCall, ...parameters: Value[]): void {
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
    this.pack();
    this.flagsWritten = true;
    this.flagsTouched = true;
    this.storeFlags();
    this.storeState32(state.budget, this.get(this.frame.budget));
    const outcome = this.let(
      callFor('i32', this.frame.functions.host, [this.get(this.frame.record), this.i32(hostCalls.indexOf(name))]),
    );
    this.set(this.frame.budget, this.loadState32(state.budget));
    this.set(this.flagResultLocal, super.loadState64(state.flagResult));
    this.set(this.flagAuxLocal, super.loadState32(state.flagAux));
    this.code.if(outcome, () => this.cold(() => this.leaveFault()), undefined, false);
  }
}
