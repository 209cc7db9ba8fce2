/** Time as the network needs it; the host brings it. */
export interface NetClock {
  /** Milliseconds from some start, with fractions; monotonic. */
  nowMs(): number;
  /** Milliseconds since 1970, with fractions. */
  wallClockMs(): number;
  /** Calls `expire` once, `delayMs` from now at the earliest, never from within `startTimer`. */
  startTimer(delayMs: number, expire: () => void): { cancel(): void };
  /** Calls `run` once, as soon as what is being done now is done: before timers and new input. */
  defer(run: () => void): void;
}
