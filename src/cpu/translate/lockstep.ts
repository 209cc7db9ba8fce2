/**
 * Which regions lockstep runs, and when. At first everything that is entered is looked up here, and each way into a region
 * is run beside the interpreter from the first time on; then the interpreter has that entry. Once there were more entries than
 * regions can be kept, the interpreter runs as it always does, and what it reports as hot is run so at growing distances.
 */
import type { Fetcher, FetchMode } from '../fetch.ts';
import { setRounds } from '../interpret/entry-counters.ts';
import type { Interpreter } from '../interpret/interpreter.ts';
import { record, recordHeat } from '../interpret/record.ts';
import type { ModeTracker } from '../mode.ts';
import { heatOverflows, state } from '../state/layout.ts';
import type { Candidate } from './translator.ts';
import { type VerifiedCpu, Verifier } from './verifier.ts';

/** Times that each way into a region is checked from the first time on. */
const maxEarlyRuns = 20;
/** Times that a hot one is. */
const maxHotRuns = 12;
/** Rounds of a record's counter until its code is hot: some 250 entries. */
const hotRounds = 1;
/** Entries between two checks of hot code, at most. */
const maxDistance = recordHeat.hot - recordHeat.warm;

export interface LockstepParts {
  readonly view: DataView;
  readonly interpreter: Interpreter;
  readonly fetcher: Fetcher;
  readonly mode: ModeTracker;
  readonly candidate: (at: number) => Candidate;
  readonly cpu: Omit<VerifiedCpu, 'isolate' | 'reconnect' | 'restored'>;
}

export class Lockstep {
  readonly #parts: LockstepParts;
  readonly #verifier: Verifier;
  /** By record. */
  readonly #runs = new Map<number, number>();
  /** Whether only hot code is checked (any more). */
  selective = false;

  constructor(parts: LockstepParts) {
    const { view, interpreter, fetcher, mode } = parts;
    this.#parts = parts;
    fetcher.caching = false;
    this.#verifier = new Verifier({
      ...parts.cpu,
      isolate: () => {
        interpreter.jumps.forgetTargets();
        view.setBigInt64(state.jumpTag, -1n, true);
      },
      reconnect: () => {
        view.setInt32(state.jumpTag, 0, true);
        mode.tagJumps();
      },
      restored: () => mode.selectCode(),
    });
  }

  /** What was compared. */
  get statistics(): Readonly<Record<string, number>> {
    const { verified, verifiedInstructions, believed } = this.#verifier;
    return { verifiedRuns: verified, verifiedInstructions, believedRuns: believed };
  }

  /** Runs what `fetcher` just found at state.rip. @returns a status. */
  run(at: number): number {
    const { interpreter, mode } = this.#parts;
    if (this.selective) return interpreter.run(at, 0);
    const runs = this.#runs.get(at) ?? 0;
    const outcome = runs < maxEarlyRuns ? this.#check(at, mode.current) : undefined;
    if (outcome !== undefined) this.#runs.set(at, runs + 1);
    if (interpreter.translator.detachedTooMany) this.#select();
    return outcome ?? interpreter.run(at, 0);
  }

  /** The same for what was reported as hot. @param reporter the record that reported it */
  runHot(at: number, reporter: number): number {
    const { interpreter, mode } = this.#parts;
    const { translator } = interpreter;
    if (reporter !== at) translator.settle(reporter);
    const runs = this.#runs.get(at) ?? 0;
    const outcome = this.selective && runs < maxHotRuns ? this.#check(at, mode.current) : undefined;
    if (outcome === undefined) {
      translator.settle(at);
      return interpreter.run(at, 0);
    }
    this.#runs.set(at, runs + 1);
    this.#reportAfter(at, Math.min(2 ** runs, maxDistance));
    return outcome;
  }

  /** @returns the region's status; undefined if nothing can be checked here. */
  #check(at: number, mode: FetchMode): number | undefined {
    const { interpreter, fetcher, candidate } = this.#parts;
    if (fetcher.ramOffset < 0 || !mode.translatable) return undefined;
    const detached = interpreter.translator.detachedFor(candidate(at));
    if (detached === undefined || !fetcher.place(detached.pages, mode)) return undefined;
    return this.#verifier.run(detached.run, at);
  }

  #select(): void {
    const { view, fetcher } = this.#parts;
    this.selective = true;
    fetcher.caching = true;
    this.#runs.clear();
    const counters = new Uint8Array(view.buffer, heatOverflows.base, heatOverflows.entries);
    counters.fill(recordHeat.overflows - hotRounds);
  }

  /** Has the interpreter report a record again when it was entered so many times more. */
  #reportAfter(at: number, entries: number): void {
    const { view } = this.#parts;
    view.setUint8(at + record.heat, recordHeat.hot - entries);
    setRounds(view, at, recordHeat.overflows - 1);
  }
}
