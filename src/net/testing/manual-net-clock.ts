/** A clock that only moves when told to. */
import type { NetClock } from '../clock.ts';

export class ManualNetClock implements NetClock {
  #nowMs = 1000;
  #timers: { atMs: number; expire: () => void }[] = [];
  #deferred: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallClockMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  startTimer(delayMs: number, expire: () => void): { cancel(): void } {
    const timer = { atMs: this.#nowMs + delayMs, expire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  /** Runs what was deferred. */
  settle(): void {
    for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) next();
  }

  /** Lets time pass, with every timer at its time. */
  advance(ms: number): void {
    this.settle();
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.expire();
      this.settle();
    }
    this.#nowMs = endMs;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }
}
