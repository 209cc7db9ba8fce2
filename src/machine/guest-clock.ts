import type { Clock } from '../device-model/time.ts';

/** Words: host time at which guest time would be 0 had there been no pause; host time at which it stopped, or -1. */
const word = { origin: 0, stopped: 1, words: 2 } as const;

export const allocateGuestClock = (): SharedArrayBuffer => new SharedArrayBuffer(word.words * 8);

/**
 * The guest's monotonic time, the same on every processor's thread: 0 when the machine is built, and standing still
 * while the machine is paused. Everything that counts time in the guest (TSC, kvmclock, APIC, HPET, PIT, PM timer)
 * counts this clock, so a pause is not there for it: no timer is late, no watchdog bites. The real-time clock alone
 * shows the host's time of day.
 */
export class GuestClock implements Clock {
  readonly #hostNs: () => number;
  readonly #words: BigInt64Array<SharedArrayBuffer>;

  /** @param hostNs nanoseconds of a clock that never goes back and that all threads share */
  constructor(buffer: SharedArrayBuffer, hostNs: () => number) {
    this.#words = new BigInt64Array(buffer);
    this.#hostNs = hostNs;
  }

  /** Guest time is 0 now. */
  begin(): void {
    this.#set(word.stopped, -1);
    this.#set(word.origin, this.#hostNs());
  }

  nowNs(): number {
    const stopped = this.#get(word.stopped);
    return (stopped < 0 ? this.#hostNs() : stopped) - this.#get(word.origin);
  }

  get stopped(): boolean {
    return this.#get(word.stopped) >= 0;
  }

  stop(): void {
    if (!this.stopped) this.#set(word.stopped, this.#hostNs());
  }

  start(): void {
    const stopped = this.#get(word.stopped);
    if (stopped < 0) return;
    this.#set(word.origin, this.#get(word.origin) + this.#hostNs() - stopped);
    this.#set(word.stopped, -1);
  }

  #get(index: number): number {
    return Number(this.#words[index] as bigint);
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#words, index, BigInt(value));
  }
}
