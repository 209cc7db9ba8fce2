/**
 * From state.rip to running code: what is known goes on at once, the rest is looked up, hot code is handed to the
 * translator, and lockstep runs check regions on the way.
 */
import { pageSize } from '../memory/guest-memory.ts';
import type { Instruction } from './decode/instruction.ts';
import { describeCode, instructionAt } from './describe-code.ts';
import type { RecordedFault } from './events/recorded-fault.ts';
import type { ExitCounts } from './exit-counts.ts';
import type { Fetcher } from './fetch.ts';
import { uncounted } from './interpret/handler-keys.ts';
import type { Interpreter } from './interpret/interpreter.ts';
import { record } from './interpret/record.ts';
import { status } from './interpret/status.ts';
import type { ModeTracker } from './mode.ts';
import type { Processor } from './processor.ts';
import { state } from './state/layout.ts';
import { Lockstep } from './translate/lockstep.ts';
import type { Candidate } from './translate/translator.ts';
import type { VcpuOptions } from './vcpu-options.ts';

export interface CodeRunnerParts {
  readonly cpu: Processor;
  readonly interpreter: Interpreter;
  readonly fetcher: Fetcher;
  readonly fault: RecordedFault;
  readonly mode: ModeTracker;
  readonly translates: VcpuOptions['translates'];
  readonly exits: ExitCounts;
}

/** Whether an instruction writes memory several times, so that it may be left half done. */
const writesOften = (instruction: Instruction | undefined): boolean =>
  instruction !== undefined && (instruction.repeat !== 0 || instruction.row.semantics === 'pusha');

export class CodeRunner {
  readonly #parts: CodeRunnerParts;
  readonly #view: DataView;
  readonly #lockstep: Lockstep | undefined;

  constructor(parts: CodeRunnerParts) {
    const { cpu, translates } = parts;
    this.#parts = parts;
    this.#view = cpu.state.view;
    if (translates === 'verify') this.#lockstep = this.#createLockstep();
  }

  #createLockstep(): Lockstep {
    const { cpu, interpreter, fetcher, mode } = this.#parts;
    return new Lockstep({
      view: this.#view,
      interpreter,
      fetcher,
      mode,
      candidate: (at) => this.#candidate(at),
      cpu: {
        view: this.#view,
        log: cpu.mmu.log,
        flush: () => cpu.mmu.tlb.flushAll(),
        settle: () => this.settleFlags(),
        step: () => this.#stepOnce(),
        describe: (rip) => describeCode(cpu, rip),
        writesOften: (rip) => writesOften(instructionAt(cpu, rip)),
      },
    });
  }

  get #atOnce(): boolean {
    const { translates } = this.#parts;
    return translates === 'always' || translates === 'staying';
  }

  /** Whether looked-up code may go on without the run loop: who wants to see every entry does not let it. */
  get #direct(): boolean {
    return !this.#atOnce && (this.#lockstep?.selective ?? true);
  }

  /** Runs from state.rip until something needs the run loop. @returns a status, but neither `misplaced`, `redo` nor `missed`. */
  run(): number {
    let result = this.#dispatch();
    if (result === status.hot && this.#lockstep !== undefined) result = this.#runHot(this.#lockstep);
    while (result === status.misplaced || result === status.redo || result === status.missed) {
      if (result === status.missed) this.#noteMissed();
      result = result === status.misplaced ? this.#runMisplaced() : this.#redo();
    }
    return result;
  }

  /** Computes the status flags if translated code deferred them. */
  settleFlags(): void {
    if (this.#view.getInt32(state.flagKind, true) !== 0) this.#parts.interpreter.settle();
  }

  /** Lets the translator go on; no emitted code may be running. */
  translate(): void {
    this.#parts.interpreter.translator.work();
  }

  /**
   * The code at state.rip is entered often: translate it, if this vCPU translates at all. @returns a status: `fault` if the
   * code can no longer be fetched, which may come out here first (its page left the code TLB and the guest's tables).
   */
  noteHot(): number {
    const { interpreter, fetcher, fault, mode, translates } = this.#parts;
    const { current } = mode;
    let at: number;
    try {
      at = fetcher.lookup(current);
    } catch (thrown) {
      return fault.noteExact(thrown);
    }
    const { translator } = interpreter;
    // A record that only forwards to the code's present one must not report itself for ever.
    const reporter = this.#view.getInt32(state.record, true);
    if (reporter !== at) translator.settle(reporter);
    if (fetcher.ramOffset < 0) return status.next;
    if (translates === 'hot' && current.translatable) {
      translator.noteHot(this.#candidate(at));
      if (translator.pressing) translator.work();
    } else translator.settle(at);
    return status.next;
  }

  /** The code that `lookup` found last, as a candidate for translation. */
  #candidate(at: number): Candidate {
    const { cpu, fetcher, mode } = this.#parts;
    const { key, decode } = mode.current;
    const base = fetcher.codeBase;
    const pageAt = (distance: number): number => {
      const page = cpu.mmu.codeTlb.find(base + distance * pageSize, key);
      return page < 0 ? -1 : page / pageSize;
    };
    return { long: decode.codeSize === 64, record: at, ramOffset: fetcher.ramOffset, pageAt };
  }

  #noteMissed(): void {
    const { interpreter, mode } = this.#parts;
    const long = mode.current.decode.codeSize === 64;
    interpreter.translator.noteMissed(this.#view.getInt32(state.record, true), long);
  }

  /** A region left the instruction at state.rip to the interpreter. */
  #redo(): number {
    const { interpreter, fetcher, fault, mode, exits } = this.#parts;
    exits.redone++;
    if (this.#lockstep !== undefined) return this.#stepOnce();
    try {
      const at = fetcher.lookup(mode.current);
      const placement = interpreter.translator.placementOf(at);
      return interpreter.run(placement === undefined ? at : interpreter.code.again(placement.original), uncounted);
    } catch (thrown) {
      return fault.noteExact(thrown);
    }
  }

  /** A region found its pages elsewhere, or out of the code TLB: runs on if that can be mended, or interprets its entry. */
  #runMisplaced(): number {
    const { cpu, interpreter, fetcher, mode, exits } = this.#parts;
    exits.misplaced++;
    const { translator, code } = interpreter;
    const at = this.#view.getInt32(state.record, true);
    const placement = translator.placementOf(at);
    if (placement === undefined) {
      cpu.state.rip = BigInt(fetcher.codeBase + this.#view.getUint16(at + record.pageOffset, true));
      return status.lookup;
    }
    if (fetcher.place(placement.pages, mode.current)) return interpreter.run(at, 0);
    translator.noteMisplaced(at);
    return interpreter.run(code.again(placement.original), 0);
  }

  /** Looks up state.rip and runs from there. */
  #dispatch(): number {
    const { interpreter, fetcher, fault, mode } = this.#parts;
    let at: number;
    try {
      if (this.#direct && !mode.current.step) {
        const outcome = interpreter.enter();
        if (outcome !== status.lookup) return outcome;
        this.#parts.exits.lookups++;
        if (fetcher.refill(mode.current)) {
          const second = interpreter.enter();
          if (second !== status.lookup) return second;
        }
      }
      at = fetcher.lookup(mode.current);
    } catch (thrown) {
      return fault.noteExact(thrown);
    }
    if (this.#lockstep !== undefined) return this.#lockstep.run(at);
    if (this.#atOnce) this.#translateNow(at);
    return interpreter.run(at, 0);
  }

  /** Lockstep: hot code is at state.rip. */
  #runHot(lockstep: Lockstep): number {
    const { fetcher, fault, mode } = this.#parts;
    const reporter = this.#view.getInt32(state.record, true);
    try {
      return lockstep.runHot(fetcher.lookup(mode.current), reporter);
    } catch (thrown) {
      return fault.noteExact(thrown);
    }
  }

  /** What lockstep has compared; nothing elsewhere. */
  statistics(): Readonly<Record<string, number>> {
    return this.#lockstep?.statistics ?? {};
  }

  /** Runs the instruction at state.rip on the interpreter, and what is known to follow it as usual. @returns a status. */
  #stepOnce(): number {
    const { interpreter, fetcher, fault, mode } = this.#parts;
    try {
      return interpreter.run(fetcher.lookup({ ...mode.current, step: true }), 0);
    } catch (thrown) {
      return fault.noteExact(thrown);
    }
  }

  #translateNow(at: number): void {
    const { interpreter, fetcher, mode } = this.#parts;
    if (fetcher.ramOffset < 0 || !mode.current.translatable) return;
    interpreter.translator.request(this.#candidate(at));
    interpreter.translator.work();
  }
}
