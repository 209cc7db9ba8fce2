/**
 * Many timers on one timer of the host. Arming one again later than before, which is what TCP does all the time, costs
 * nothing: it is moved when its old time comes.
 */
import type { NetClock } from './clock.ts';

const never = Number.POSITIVE_INFINITY;

export class QueueTimer {
  /** When it expires; infinity: not armed. */
  dueMs = never;
  /** Where it lies in the queue's order; not later than `dueMs`, unless it was cancelled. */
  placedMs = never;
  readonly expire: () => void;
  readonly #queue: TimerQueue;

  constructor(queue: TimerQueue, expire: () => void) {
    this.#queue = queue;
    this.expire = expire;
  }

  get armed(): boolean {
    return this.dueMs !== never;
  }

  /** Arms the timer to expire in `delayMs`, instead of what was armed before. */
  start(delayMs: number): void {
    this.dueMs = this.#queue.nowMs() + delayMs;
    this.#queue.place(this);
  }

  stop(): void {
    this.dueMs = never;
  }
}

export class TimerQueue {
  readonly #clock: NetClock;
  /** A binary heap by `placedMs`. A timer may lie in it several times; entries that are out of date do nothing. */
  readonly #heap: { readonly atMs: number; readonly timer: QueueTimer }[] = [];
  #hostTimer: { cancel(): void } | undefined;
  #hostDueMs = never;

  constructor(clock: NetClock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  createTimer(expire: () => void): QueueTimer {
    return new QueueTimer(this, expire);
  }

  /** Called by timers: sees to it that the queue looks at `timer` no later than it is due. */
  place(timer: QueueTimer): void {
    if (timer.placedMs <= timer.dueMs) return;
    timer.placedMs = timer.dueMs;
    this.#push(timer.dueMs, timer);
    this.#startHostTimer();
  }

  close(): void {
    this.#heap.length = 0;
    this.#hostTimer?.cancel();
    this.#hostTimer = undefined;
  }

  #startHostTimer(): void {
    const first = this.#heap[0];
    if (first === undefined || first.atMs >= this.#hostDueMs) return;
    this.#hostTimer?.cancel();
    this.#hostDueMs = first.atMs;
    this.#hostTimer = this.#clock.startTimer(Math.max(0, first.atMs - this.nowMs()), () => this.#run());
  }

  #run(): void {
    this.#hostTimer = undefined;
    this.#hostDueMs = never;
    const now = this.nowMs();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= now; first = this.#heap[0]) {
      this.#pop();
      const { timer, atMs } = first;
      if (timer.placedMs !== atMs) continue;
      timer.placedMs = never;
      if (timer.dueMs > now) {
        if (timer.armed) this.place(timer);
        continue;
      }
      timer.stop();
      timer.expire();
    }
    this.#startHostTimer();
  }

  #push(atMs: number, timer: QueueTimer): void {
    const heap = this.#heap;
    heap.push({ atMs, timer });
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      if (this.#at(parent) <= this.#at(child)) break;
      this.#swap(parent, child);
      child = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    heap.pop();
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < heap.length && this.#at(child) < this.#at(least)) least = child;
      }
      if (least === parent) return;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #at(index: number): number {
    return this.#heap[index]?.atMs ?? never;
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    const first = heap[a] as (typeof heap)[number];
    heap[a] = heap[b] as (typeof heap)[number];
    heap[b] = first;
  }
}
