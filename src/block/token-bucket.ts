/** A bucket that fills at a steady rate up to its brim, and that requests take from. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #brim: number;
  #tokens: number;
  #atMs: number;

  /** @param perSecond may be infinite: then nobody waits */
  constructor(perSecond: number, brim: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#brim = brim;
    this.#tokens = brim;
    this.#atMs = nowMs;
  }

  /**
   * How long until `amount` may be taken. What is more than the bucket ever holds may be taken from a full one, and
   * leaves it in debt, so that large requests get through and the rate is kept.
   */
  waitMs(amount: number, nowMs: number): number {
    if (this.#perMs === Number.POSITIVE_INFINITY) return 0;
    this.#tokens = Math.min(this.#brim, this.#tokens + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    const missing = Math.min(amount, this.#brim) - this.#tokens;
    // Less than a thousandth of a token is an error of the arithmetic.
    return missing <= 0.001 ? 0 : missing / this.#perMs;
  }

  take(amount: number): void {
    if (this.#perMs !== Number.POSITIVE_INFINITY) this.#tokens -= amount;
  }
}
