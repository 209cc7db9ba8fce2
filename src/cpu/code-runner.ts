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
import type { Interpreter } from './interpret/interpreter.ts';
import { record } from './interpret/record.ts';
import { status } from './interpret/status.ts';
import type { ModeTracker } from './mode.ts';
import type { Processor } from './processor.ts';
import { state } from './state/layout.ts';
import type { Candidate } from './translate/translator.ts';
import { Verifier } from './translate/verifier.ts';
import type { VcpuOptions } from './vcpu-options.ts';

/** Times that a lockstep run checks each way into a region. */
const maxVerifiedRuns = 20;
/** Times that an entry is come to before it is translated for lockstep, once there were more of them than can be kept. */
const costlyArrivals = 4;

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
  readonly #verifier: Verifier;
  /** By record. */
  readonly #verifiedRuns = new Map<number, number>();
  readonly #arrivals = new Map<number, number>();
  /** Whether looked-up code may go on without the run loop: tests and lockstep runs want to see every entry. */
  readonly #direct: boolean;

  constructor(parts: CodeRunnerParts) {
    const { cpu, fetcher, translates } = parts;
    this.#parts = parts;
    this.#view = cpu.state.view;
    this.#direct = translates === 'hot' || translates === 'never';
    fetcher.caching = translates !== 'verify';
    this.#verifier = new Verifier({
      view: this.#view,
      log: cpu.mmu.log,
      flush: () => cpu.mmu.tlb.flushAll(),
      settle: () => this.settleFlags(),
      step: () => this.#stepOnce(),
      describe: (rip) => describeCode(cpu, rip),
      writesOften: (rip) => writesOften(instructionAt(cpu, rip)),
    });
  }

  /** Runs from state.rip until something needs the run loop. @returns a status, but neither `misplaced` nor `redo`. */
  run(): number {
    let result = this.#dispatch();
    while (result === status.misplaced || result === status.redo) {
      if (result === status.redo) this.#parts.exits.redone++;
      result = result === status.redo ? this.#stepOnce() : this.#runMisplaced();
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
    const { interpreter, fetcher, fault, mode, translates } = this.#parts;
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
    if (translates === 'always') this.#translateNow(at);
    else if (translates === 'verify') return this.#dispatchVerified(at);
    return interpreter.run(at, 0);
  }

  /** Lockstep: each way into a region a number of times beside the interpreter; then the interpreter has it. */
  #dispatchVerified(at: number): number {
    const { interpreter, fetcher, mode } = this.#parts;
    const { current } = mode;
    const runs = this.#verifiedRuns.get(at) ?? 0;
    if (fetcher.ramOffset < 0 || !current.translatable || runs >= maxVerifiedRuns) return interpreter.run(at, 0);
    const candidate = this.#candidate(at);
    if (interpreter.translator.isDetachingCostly(candidate) && this.#arrive(at) < costlyArrivals)
      return interpreter.run(at, 0);
    const detached = interpreter.translator.detachedFor(candidate);
    if (detached === undefined || !fetcher.place(detached.pages, current)) return interpreter.run(at, 0);
    this.#verifiedRuns.set(at, runs + 1);
    return this.#verifier.run(detached.run, at);
  }

  /** What lockstep has compared; nothing elsewhere. */
  statistics(): Readonly<Record<string, number>> {
    if (this.#parts.translates !== 'verify') return {};
    const { verified, verifiedInstructions, believed } = this.#verifier;
    return { verifiedRuns: verified, verifiedInstructions, believedRuns: believed };
  }

  #arrive(at: number): number {
    const arrivals = (this.#arrivals.get(at) ?? 0) + 1;
    this.#arrivals.set(at, arrivals);
    return arrivals;
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
