/** Storage that lost its last mention in memory, waiting for the file to lose it, too. */
import type { FreedClusters } from './commit.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Ranges of more than this many pieces should be committed before more are freed. */
const manyRanges = 4096;

export class FreedList implements FreedClusters {
  #pending: ByteRange[] = [];
  #settled: ByteRange[] = [];

  /** Each cluster that the range touches loses one reference. */
  add(offset: number, length: number): void {
    this.#pending.push({ offset, length });
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  get isLong(): boolean {
    return this.#pending.length > manyRanges;
  }

  take(): { settle(written: boolean): void } {
    const taken = this.#pending;
    this.#pending = [];
    return {
      settle: (written) => {
        if (written) this.#settled = taken.length === 0 ? this.#settled : this.#settled.concat(taken);
        else this.#pending = taken.concat(this.#pending);
      },
    };
  }

  /** What the file no longer mentions, once. */
  takeSettled(): ByteRange[] {
    const settled = this.#settled;
    this.#settled = [];
    return settled;
  }
}
