/** Trials in guests that are up: each trial all its rounds, in each round one guest after the other, the others idle. */
import type { Result } from '../../src/support/result.ts';
import type { Ledger } from '../report/report.ts';
import type { DebianGuest } from '../runners/debian-guest.ts';
import { plausible, type SetUp, type Trial } from '../trials/trial.ts';

/** A guest, and whose it is. */
export interface Seat {
  /** Name of the runner. */
  readonly runner: string;
  readonly guest: DebianGuest;
  /** Whether it has one processor where others have more. */
  readonly single: boolean;
}

export class TrialRun {
  readonly #ledger: Ledger;
  readonly #note: (text: string) => void;
  readonly #done = new Map<DebianGuest, Map<SetUp, Result<unknown>>>();
  readonly #gone = new Set<DebianGuest>();

  constructor(ledger: Ledger, note: (text: string) => void) {
    this.#ledger = ledger;
    this.#note = note;
  }

  /** Takes `rounds` samples of a trial in every guest that it is meant for; one that fails drops out of this trial. */
  async run(trial: Trial, seats: readonly Seat[], rounds: number): Promise<void> {
    const { measure } = trial;
    const failed = new Set<Seat>();
    const own = seats.filter(({ guest, single }) => single === (trial.single ?? false) && !this.#gone.has(guest));
    for (let round = 1; round <= rounds; round++) {
      for (const seat of own) {
        if (failed.has(seat)) continue;
        const { runner, guest } = seat;
        this.#note(`${measure.name}, round ${round} of ${rounds}: ${runner}`);
        const ready = await this.#setUp(trial, guest);
        const sample = ready.ok ? plausible(await trial.sample(guest)) : ready;
        if (sample.ok) {
          this.#ledger.add(measure, runner, sample.value);
          continue;
        }
        failed.add(seat);
        const from = round === 1 ? '' : ` from round ${round} on`;
        const what = guest.end === undefined ? `${measure.name}${from}` : `everything from ${measure.name}${from} on`;
        this.#ledger.gap(what, runner, sample.error.message);
        if (guest.end !== undefined) this.#gone.add(guest);
      }
    }
  }

  async #setUp({ setUp }: Trial, guest: DebianGuest): Promise<Result<unknown>> {
    if (setUp === undefined) return { ok: true, value: undefined };
    const known = this.#done.get(guest) ?? new Map<SetUp, Result<unknown>>();
    this.#done.set(guest, known);
    const result = known.get(setUp) ?? (await setUp(guest));
    known.set(setUp, result);
    return result;
  }
}
