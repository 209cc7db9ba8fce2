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

  /** A job begins. */
  begin(): void {
    this.#within.push(new Set());
    if (this.#within.length > jobs) this.#within.shift();
  }

  /** The job's regions have code at `ramOffset` that they cannot be entered at. */
  add(ramOffset: number): void {
    this.#within.at(-1)?.add(ramOffset);
  }

  has(ramOffset: number): boolean {
    return this.#within.some((offsets) => offsets.has(ramOffset));
  }
}
