/**
 * The translator's side of the semantics: operands are known, general registers live in WebAssembly locals for the
 * length of a region, flags are computed where they are wanted. This file: an instruction's frame and its ways out.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import { eflags } from '../../spec/x86/registers.ts';
import type { Label } from '../../wasm/code-builder.ts';
import { callFor } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import type { Instruction } from '../decode/instruction.ts';
import {
  areTiny,
  floatLimit,
  isTiny,
  type LaneShape,
  laneSigns,
  type RareCode,
  type SlowEmitter,
} from '../emit/float-emitter.ts';
import type { Operand } from '../emit/form.ts';
import { type HostCall, hostCalls, segmentLoads } from '../emit/host-calls.ts';
import { siteCacheEntry } from '../interpret/lookup.ts';
import { mayInterrupt } from '../semantics/interruptible.ts';
import { state } from '../state/layout.ts';
import { knownOnBoth } from './known-facts.ts';
import { areApart, forgetPlaces } from './page-guards.ts';
import { unknown } from './pending-flags.ts';
import { RareEmitter } from './rare-emitter.ts';
import { TranslatorMemory } from './translator-memory.ts';
import { faultSite, type RegionFrame } from './translator-registers.ts';

export class TranslatorOps extends TranslatorMemory {
  /** Instructions of the block after the running one. */
  remaining = 0;
  /** Offsets that the running instruction, a near return, may return to within the region. */
  returnSites: readonly number[] = [];
  #finished = false;
  #finishLabel: Label | undefined;

  /** Emits `run` as the instruction at `offset`. */
  instruction(instruction: Instruction, offset: number, run: () => void): void {
    const outer = {
      instruction: this.running,
      offset: this.runningAt,
      form: this.form,
      label: this.#finishLabel,
      finished: this.#finished,
    };
    const { known } = this;
    this.setRunning(instruction, offset);
    this.#finished = false;
    this.ended = false;
    this.code.block((label) => {
      this.#finishLabel = label;
      run();
      if (this.#finished && !this.ended) this.hand();
    });
    if (this.#finished) {
      this.ended = false;
      this.pending = unknown;
      this.known = knownOnBoth(this.known, known);
      // It may have ended before its end.
      this.forgetPlaces();
    }
    if (outer.instruction !== undefined) this.setRunning(outer.instruction, outer.offset);
    this.form = outer.form;
    this.#finishLabel = outer.label;
    this.#finished = outer.finished;
  }

  // Control

  /** Offsets beyond the region's own code may be beyond the last one of 32-bit code. */
  #ipAt(offset: number): Value {
    const ip = this.add(this.get(this.frame.codeBase), BigInt(offset));
    return this.frame.long ? ip : this.and(ip, 0xffff_ffffn);
  }

  currentIp(): Value {
    return this.#ipAt(this.runningAt);
  }

  nextIp(): Value {
    return this.let(this.#ipAt(this.runningAt + this.running.length));
  }

  /** Leaves the region for the code at `target`, `distance` from the running instruction if that is always the same. */
  #leave(target: Value, distance = 0): void {
    this.set(this.frame.target, target);
    this.set(this.frame.from, this.i32(siteCacheEntry(this.#ramOffset(), distance)));
    // The block's instructions were all paid for when it was entered.
    if (this.remaining > 0) this.set(this.frame.budget, this.add(this.get(this.frame.budget), this.remaining));
    this.hand();
    this.code.branch(this.frame.leave);
    this.ended = true;
  }

  /** Leaves the region; the guest goes on at `offset`. */
  leaveTo(offset: number): void {
    this.#leave(this.#ipAt(offset), offset - this.runningAt);
  }

  /** Leaves the region for its own code at `offset`, if some of the pages that this needs are not where they should be. */
  leaveIfApart(pages: number, offset: number): void {
    const leave = (): void => {
      forgetPlaces(this, this.code);
      this.leaveTo(offset);
    };
    this.code.if(areApart(this, pages), () => this.cold(leave), undefined, false);
  }

  /** Number of the running instruction's page, among the region's. */
  #page(): number {
    const distance = Math.floor(this.runningAt / pageSize);
    return this.frame.pages.findIndex((page) => page.distance === distance);
  }

  #ramOffset(): number {
    const page = this.frame.pages[this.#page()] as RegionFrame['pages'][number];
    return page.ramOffset + (this.runningAt & (pageSize - 1));
  }

  jump(ip: Value): void {
    for (const offset of this.returnSites) {
      this.code.if(this.eq(ip, this.#ipAt(offset)), () => this.cold(() => this.frame.branchTo(offset)));
    }
    this.#leave(ip);
  }

  jumpRelative(_operand: Operand): void {
    this.frame.branchTo(this.runningAt + this.running.length + Number(this.running.immediate));
    this.ended = true;
  }

  leaveFault(): void {
    const within = this.runningAt & 0xfff;
    const site = faultSite.pack({ page: this.#page(), within, unspent: this.remaining + 1, flags: this.pendingNumber });
    this.set(this.frame.site, this.i32(site));
    this.code.branch(this.frame.fault);
    this.ended = true;
  }

  restart(): void {
    this.#leave(this.#ipAt(this.runningAt));
  }

  finish(): void {
    this.hand();
    this.#finished = true;
    this.code.branch(this.#finishLabel as Label);
    this.ended = true;
  }

  charge(cost: Value): void {
    const bound = this.let(cost);
    this.set(this.frame.budget, this.sub(this.get(this.frame.budget), bound));
    this.storeState32(state.extraCost, this.add(this.loadState32(state.extraCost), bound));
  }

  /** The next instruction belongs to the same block, and nobody looks between them for interrupts that came before. */
  enableInterrupts(): void {
    this.#leaveIf(mayInterrupt(this));
    this.storeState32(state.eflags, this.or(this.loadState32(state.eflags), eflags.if));
  }

  /** The interpreter knows what to do then. */
  override rarely(condition: Value): void {
    this.#leaveIf(condition);
  }

  override selectTlb(set: Value): void {
    this.set(this.frame.tlbBase, set);
    super.selectTlb(this.get(this.frame.tlbBase));
  }

  lockBus(): void {
    throw new Error('what locks the bus is not translated');
  }

  unlockBus(): void {
    this.lockBus();
  }

  exchangeWide(): void {
    this.lockBus();
  }

  /** Only slow paths that touch neither general registers nor flags nor the flow of control reach translated code. */
  host(name: HostCall, ...parameters: Value[]): void {
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
    const loadsSegment = segmentLoads.has(name);
    const call = callFor('i32', this.frame.functions.host, [
      this.get(this.frame.record),
      this.i32(hostCalls.indexOf(loadsSegment ? 'load-usual-segment' : name)),
    ]);
    this.#leaveIf(call);
    // Segments may have other bases.
    if (loadsSegment) this.forgetPlaces();
  }

  /** A call of a function that all of the module's regions share. */
  override rare(what: RareCode): Value {
    const value = this.#shared(what);
    this.#leaveIf(this.loadState32(state.fault));
    return value;
  }

  #shared({ name, parameters, result, body }: RareCode): Value {
    const { record, functions, define } = this.frame;
    const types = parameters.map(({ type }) => type);
    const index = define(name, { parameters: [record.type, ...types], results: [result] }, (code) => {
      const emitter = new RareEmitter(code, functions.host, result);
      const values = types.map((_, n) => code.get(code.parameter(n + 1)));
      code.value(body(emitter, values));
    });
    return this.let(callFor(result, index, [this.get(record), ...parameters]));
  }

  /** Elsewhere, or V8 keeps the first look at an operand for a second one here. */
  override lowerFloatLimit(shape: LaneShape, values: readonly Value[]): void {
    for (const value of values) {
      const parameters = [this.floatLimit(), value];
      const body = (o: SlowEmitter, [limit, numbers]: readonly Value[]): Value => {
        const found =
          value.type === 'v128' ? laneSigns(shape, areTiny(o, shape, numbers as Value)) : isTiny(o, numbers as Value);
        return o.select(found, o.i32(floatLimit.untame), limit as Value);
      };
      const name = `limit ${value.type} ${shape.double ? 'double' : 'single'}`;
      this.setFloatLimit(this.#shared({ name, parameters, result: 'i32', body }));
    }
  }

  #leaveIf(condition: Value): void {
    this.code.if(condition, () => this.cold(() => this.leaveFault()), undefined, false);
  }
}
