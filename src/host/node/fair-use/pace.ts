/** From what a virtual machine's process has used: when its processors are not to run. */
import type { Block } from './block.ts';
import type { Due } from './rivals.ts';

/** Everybody's turn comes once in it. */
const periodNs = 50e6;
/** Longest time that is announced at once, and for how long turns are: this thread may be held up. */
const longestBlockNs = 300e6;
const announcedNs = 1e9;
/** What a limit allows is kept for so long: other programs may keep a guest from running for a while. */
const limitPeriodNs = 500e6;
/** Turns are lengthened by what is missing, and shortened by what is too much, such that it is made up for in so many. */
const correctedIn = 8;
/** Who has left so much of what was kept for it wants no more than now and then, and need not wait for its turn. */
const leftPart = 0.8;
/** What was used beyond the limit before is forgotten. */
const deepestNs = -2e9;

export class Pace {
  readonly #limit: number | undefined;
  /** Processor time that the limit still allows; below 0 it was overdrawn. */
  #allowedNs = 0;
  #due: Due | undefined;
  /** As `lagNs` of what is due, kept up to date. */
  #lagNs = 0;

  /** @param limit in cores */
  constructor(limit: number | undefined) {
    this.#limit = limit;
  }

  /** Whether there is anything to keep to. */
  get isFree(): boolean {
    return this.#limit === undefined && this.#due === undefined;
  }

  /** @param due among the others, as it is known now; undefined: there is enough for all */
  follow(due: Due | undefined): void {
    this.#due = due;
    this.#lagNs = due?.lagNs ?? 0;
  }

  /** @param usedNs since the last call, as is `elapsedNs` */
  count(elapsedNs: number, usedNs: number): void {
    if (this.#limit !== undefined) {
      const allowedNs = this.#allowedNs + elapsedNs * this.#limit - usedNs;
      this.#allowedNs = Math.max(deepestNs, Math.min(this.#limit * limitPeriodNs, allowedNs));
    }
    if (this.#due !== undefined) this.#lagNs += elapsedNs * this.#due.rate - usedNs;
  }

  /**
   * To be asked every few milliseconds, unless it is free.
   * @returns the time that begins next, or has begun, in which no processor is to run
   */
  nextBlock(nowNs: number): Block | undefined {
    if (this.#limit !== undefined && this.#allowedNs < 0) return blockFor(nowNs, -this.#allowedNs / this.#limit);
    return this.#due === undefined ? undefined : this.#awaitTurn(nowNs, this.#due);
  }

  #awaitTurn(nowNs: number, { turn, mostLagNs, isDisturbed }: Due): Block | undefined {
    const lengthNs = turn.length * periodNs + this.#lagNs / correctedIn;
    if (lengthNs >= periodNs || this.#lagNs > mostLagNs * leftPart) return undefined;
    if (isDisturbed && this.#lagNs > 0) return undefined;
    const phase = nowNs / periodNs - turn.start;
    const startNs = nowNs - (phase - Math.floor(phase)) * periodNs;
    if (lengthNs <= 0) return blockFor(nowNs, startNs + periodNs - lengthNs * correctedIn - nowNs);
    const endNs = nowNs + announcedNs;
    return { fromNs: startNs + lengthNs, untilNs: startNs + periodNs, everyNs: periodNs, endNs };
  }
}

function blockFor(nowNs: number, ns: number): Block {
  const untilNs = nowNs + Math.min(longestBlockNs, ns);
  return { fromNs: nowNs, untilNs, everyNs: 0, endNs: untilNs };
}
