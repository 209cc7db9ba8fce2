/** Guest-visible time: one monotonic nanosecond clock, and one-shot timers on it. */

export interface Clock {
  /** Nanoseconds since power-on; monotonic, integral, below 2^53 (104 days). */
  nowNs(): number;
}

/** A one-shot timer. Its callback runs on the thread that owns the devices, never inside a device access. */
export interface Timer {
  /** The armed deadline in nanoseconds since power-on; `Infinity` when not armed. */
  readonly deadlineNs: number;
  /** Arms the timer, replacing an earlier deadline. A deadline in the past fires at the next poll. */
  setDeadline(deadlineNs: number): void;
  cancel(): void;
}

export interface TimerService extends Clock {
  createTimer(name: string, expire: () => void): Timer;
}

class QueuedTimer implements Timer {
  deadlineNs = Number.POSITIVE_INFINITY;
  readonly name: string;
  readonly expire: () => void;
  readonly #changed: (deadlineNs: number) => void;

  constructor(name: string, expire: () => void, changed: (deadlineNs: number) => void) {
    this.name = name;
    this.expire = expire;
    this.#changed = changed;
  }

  setDeadline(deadlineNs: number): void {
    this.deadlineNs = deadlineNs;
    this.#changed(deadlineNs);
  }

  cancel(): void {
    this.setDeadline(Number.POSITIVE_INFINITY);
  }
}

/** The machine's timers (a dozen at most, hence a linear scan with a cached minimum). */
export class TimerQueue implements TimerService {
  readonly #clock: Clock;
  readonly #timers: QueuedTimer[] = [];
  #next = Number.POSITIVE_INFINITY;
  #stale = false;
  readonly #armed: (deadlineNs: number) => void;

  /** @param armed told of every new deadline: it may come before the one that somebody waits for. */
  constructor(clock: Clock, armed: (deadlineNs: number) => void = () => {}) {
    this.#clock = clock;
    this.#armed = armed;
  }

  nowNs(): number {
    return this.#clock.nowNs();
  }

  createTimer(name: string, expire: () => void): Timer {
    const timer = new QueuedTimer(name, expire, (deadlineNs) => {
      this.#stale = true;
      this.#armed(deadlineNs);
    });
    this.#timers.push(timer);
    return timer;
  }

  /** The earliest deadline, `Infinity` when no timer is armed. */
  nextDeadlineNs(): number {
    if (this.#stale) {
      this.#stale = false;
      this.#next = Math.min(...this.#timers.map((timer) => timer.deadlineNs), Number.POSITIVE_INFINITY);
    }
    return this.#next;
  }

  /** Runs every timer whose deadline has passed, earliest first. A timer that rearms itself runs at the next poll. */
  runExpired(): void {
    const now = this.nowNs();
    if (this.nextDeadlineNs() > now) return;
    const due = this.#timers.filter((timer) => timer.deadlineNs <= now);
    due.sort((a, b) => a.deadlineNs - b.deadlineNs);
    for (const timer of due) {
      if (timer.deadlineNs > now) continue;
      timer.cancel();
      timer.expire();
    }
  }
}

/** A clock that only moves when told to; for tests. */
export class ManualClock implements Clock {
  #now = 0;

  nowNs(): number {
    return this.#now;
  }

  advance(ns: number): void {
    this.#now += ns;
  }
}
