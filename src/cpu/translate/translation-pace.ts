/**
 * How often code has to be entered until it is translated. Little code is translated soon, much of it later: most of what is entered
 * some thousand times in a boot never is again. Where processors take all cores, what is translated comes out of the guest's time, and a
 * program that has its time all over its code (a compiler) had better be interpreted for longer. Loops get hot at any pace.
 */
import { mostRounds } from '../interpret/entry-counters.ts';
import { recordHeat } from '../interpret/record.ts';

/** Rounds of its counter (see `recordHeat`) until a record is hot: while little was translated of late, and while much was. */
const withCore = { little: 20, much: recordHeat.overflows } as const;
const withoutCore = { little: recordHeat.overflows, much: mostRounds } as const;

const between = (from: number, to: number, part: number): number => from + (to - from) * part;

/** Instructions that may be translated in one go: a program or two. */
const stockOfInstructions = 30_000;
const newPerMs = 2;
/** Slices after which most of what was before is forgotten. */
const slices = 64;

export class TranslationPace {
  readonly #coresTaken: () => boolean;
  readonly #nowMs: () => number;
  /** Part of the slices, of late, in which processors took all cores. */
  #taken = 0;
  #stock = stockOfInstructions;
  #lookedMs = 0;

  /** @param coresTaken whether processors that run take all of the host's cores now */
  constructor(coresTaken: () => boolean, nowMs: () => number) {
    this.#coresTaken = coresTaken;
    this.#nowMs = nowMs;
  }

  /** To be called once a slice, about: it looks at the cores. @returns rounds of its counter that a record goes until it is hot; see `recordHeat` */
  rounds(): number {
    this.#taken += ((this.#coresTaken() ? 1 : 0) - this.#taken) / slices;
    const nowMs = this.#nowMs();
    this.#stock = Math.min(stockOfInstructions, this.#stock + (nowMs - this.#lookedMs) * newPerMs);
    this.#lookedMs = nowMs;
    const used = 1 - this.#stock / stockOfInstructions;
    const free = between(withCore.little, withCore.much, used);
    const crowded = between(withoutCore.little, withoutCore.much, used);
    return Math.round(between(free, crowded, this.#taken));
  }

  /** So many instructions were translated. */
  note(instructions: number): void {
    this.#stock = Math.max(0, this.#stock - instructions);
  }
}
