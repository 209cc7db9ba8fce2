/** How far each of those that contend for processors is behind its due, or ahead of it. */

/** Who is ahead by so much does not run at all; more would only keep it from running for longer. */
const furthestAheadNs = -0.4e9;

export interface Gain {
  readonly key: string;
  /** Its part of what all get. */
  readonly part: number;
  /** Processor time that it has had since the last time. */
  readonly gainedNs: number;
  /** It never halts: it would have had more if it could. */
  readonly isEager: boolean;
}

export interface Spare {
  readonly idleNs: number;
  /** What those may have beyond their due who want it. */
  readonly freeNs: number;
}

/**
 * All are measured by what they have had together, not by what they might have had: there is always one that is not ahead,
 * and need not wait for anybody, however much of the host other programs take.
 */
export class Standing {
  /** Above 0: behind. */
  readonly #lagNs = new Map<string, number>();

  /**
   * @param spare processor time that nobody has used meanwhile
   * @param keptNs no more than this times its part is kept for one that does not take it. The rest lets the others off what
   * they are ahead; what is left by an eager one does so only as far as processors were idle, as other programs may have
   * kept it from catching up, and in no other case it puts them behind
   */
  settle(gains: readonly Gain[], spare: Spare, keptNs: number): void {
    for (const key of this.#lagNs.keys()) if (!gains.some((gain) => gain.key === key)) this.#lagNs.delete(key);
    const total = gains.reduce((sum, { gainedNs }) => sum + gainedNs, 0);
    const takers: Gain[] = [];
    let leftNs = 0;
    let missedNs = 0;
    for (const gain of gains) {
      const { key, part, gainedNs, isEager } = gain;
      const lagNs = this.lagNs(key) + part * total - gainedNs;
      const tooMuchNs = Math.max(0, lagNs - part * keptNs);
      this.#lagNs.set(key, Math.max(furthestAheadNs, lagNs - tooMuchNs));
      if (isEager) missedNs += tooMuchNs;
      else leftNs += tooMuchNs;
      if (tooMuchNs === 0) takers.push(gain);
    }
    const parts = takers.reduce((sum, { part }) => sum + part, 0);
    if (parts <= 0) return;
    const moreNs = spare.freeNs + Math.min(leftNs + missedNs, spare.idleNs);
    const excuseNs = leftNs + Math.min(missedNs, spare.idleNs);
    for (const { key, part } of takers) {
      const lagNs = this.lagNs(key);
      const forgivenNs = lagNs < 0 ? Math.min(0, lagNs + (excuseNs * part) / parts) : lagNs;
      this.#lagNs.set(key, Math.min(part * keptNs, forgivenNs + (moreNs * part) / parts));
    }
  }

  lagNs(key: string): number {
    return this.#lagNs.get(key) ?? 0;
  }

  clear(): void {
    this.#lagNs.clear();
  }
}
