/**
 * What the regions of a few jobs have within: code gets hot at about the same time all over a loop or a function, and a region
 * of its middle would have all of it once more. The middle is asked for again if the region is not how it is reached.
 */
import { maxJobs } from './job.ts';

/** Those whose results may not have been taken in when the next one was asked for, and that one. */
const jobs = maxJobs + 1;

export class LatestRegions {
  /** RAM offsets, by job; the latest last. */
  readonly #within: Set<number>[] = [];
  /** Of these, what was asked for. */
  readonly #asked: Set<number>[] = [];

  /** A job begins. */
  begin(): void {
    for (const sets of [this.#within, this.#asked]) {
      sets.push(new Set());
      if (sets.length > jobs) sets.shift();
    }
  }

  /** The job's regions have code at `ramOffset` that they cannot be entered at. */
  add(ramOffset: number): void {
    this.#within.at(-1)?.add(ramOffset);
  }

  /** Whether a region for `ramOffset` can wait: it lies within one, and is asked for for the first time since. */
  postpones(ramOffset: number): boolean {
    const isIn = (sets: readonly Set<number>[]): boolean => sets.some((offsets) => offsets.has(ramOffset));
    if (!isIn(this.#within) || isIn(this.#asked)) return false;
    this.#asked.at(-1)?.add(ramOffset);
    return true;
  }
}
