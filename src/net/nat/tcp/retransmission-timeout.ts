/** How long to wait for an acknowledgment. Source: RFC 6298. */
const initialMs = 1000;
/** Not less: little is lost on a virtual cable, but a busy host leaves a guest standing for hundreds of milliseconds. */
const leastMs = 1000;
const mostMs = 60_000;
const clockGranularityMs = 1;

export class RetransmissionTimeout {
  #smoothedMs = 0;
  #variationMs = 0;
  #measured = false;
  #baseMs = initialMs;
  #backoff = 1;

  get ms(): number {
    return Math.min(this.#baseMs * this.#backoff, mostMs);
  }

  /** Takes the time from a segment to its acknowledgment, of a segment that was sent once. */
  sample(rttMs: number): void {
    if (this.#measured) {
      this.#variationMs += (Math.abs(this.#smoothedMs - rttMs) - this.#variationMs) / 4;
      this.#smoothedMs += (rttMs - this.#smoothedMs) / 8;
    } else {
      this.#measured = true;
      this.#smoothedMs = rttMs;
      this.#variationMs = rttMs / 2;
    }
    const waitMs = this.#smoothedMs + Math.max(clockGranularityMs, 4 * this.#variationMs);
    this.#baseMs = Math.min(mostMs, Math.max(leastMs, waitMs));
  }

  backOff(): void {
    if (this.ms < mostMs) this.#backoff *= 2;
  }

  /** The peer has acknowledged something new. */
  progress(): void {
    this.#backoff = 1;
  }
}
