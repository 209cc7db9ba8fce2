/** How much may be under way. Source: RFC 5681 (slow start, congestion avoidance), RFC 6582 (NewReno recovery). */

/** RFC 6928: ten segments to begin with. */
const initialSegments = 10;
const duplicatesOfALoss = 3;
/** More than any window can use. */
const mostBytes = 1 << 26;

export class CongestionControl {
  readonly #mss: number;
  window: number;
  #threshold = mostBytes;
  #duplicates = 0;
  /** While a loss is being repaired, the offset that ends it; otherwise undefined. */
  #recoveryEnd: number | undefined;
  /** Duplicates of acknowledgments up to here say nothing new: the loss has been dealt with. */
  #settled = 0;

  constructor(mssBytes: number) {
    this.#mss = mssBytes;
    this.window = initialSegments * mssBytes;
  }

  get recovering(): boolean {
    return this.#recoveryEnd !== undefined;
  }

  /**
   * Something new up to `offset` was acknowledged.
   * @param limited whether the window, and nothing else, kept the sender from sending more
   * @returns true when the segment after it is missing, too, and has to be sent again
   */
  acknowledged(offset: number, bytes: number, limited: boolean): boolean {
    this.#duplicates = 0;
    if (this.#recoveryEnd === undefined) {
      if (limited) this.#grow(bytes);
      return false;
    }
    if (offset >= this.#recoveryEnd) {
      this.#recoveryEnd = undefined;
      this.window = this.#threshold;
      return false;
    }
    this.window = Math.max(this.#mss, this.window - bytes + (bytes >= this.#mss ? this.#mss : 0));
    return true;
  }

  /** The same was acknowledged again. @returns true when that means that the next segment is lost */
  duplicate(offset: number, sentEnd: number): boolean {
    this.#duplicates++;
    if (this.#recoveryEnd !== undefined) {
      this.window = Math.min(mostBytes, this.window + this.#mss);
      return false;
    }
    if (this.#duplicates !== duplicatesOfALoss || offset < this.#settled) return false;
    this.#recoveryEnd = sentEnd;
    this.#settled = sentEnd;
    this.#threshold = this.#half(sentEnd - offset);
    this.window = this.#threshold + duplicatesOfALoss * this.#mss;
    return true;
  }

  /** Nothing was acknowledged in time. */
  timedOut(offset: number, sentEnd: number): void {
    this.#duplicates = 0;
    this.#recoveryEnd = undefined;
    this.#settled = sentEnd;
    this.#threshold = this.#half(sentEnd - offset);
    this.window = this.#mss;
  }

  #half(inFlight: number): number {
    return Math.max(inFlight / 2, 2 * this.#mss);
  }

  #grow(bytes: number): void {
    const slowStart = this.window < this.#threshold;
    const step = slowStart ? bytes : (this.#mss * bytes) / this.window;
    this.window = Math.min(mostBytes, this.window + step);
  }
}
