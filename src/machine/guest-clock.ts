import type { Clock } from '../device-model/time.ts';
import type { Accelerator } from './config.ts';

/**
 * How many times slower guest time goes in lockstep while the guest runs, for it does about as much less in a second: at the
 * usual pace its timers would leave it no time for anything else.
 */
const lockstepSlowdown = 32;

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
  readonly #slowdown: number;

  /** @param hostNs nanoseconds of a clock that never goes back and that all threads share */
  constructor(buffer: SharedArrayBuffer, hostNs: () => number, accel: Accelerator) {
    this.#slowdown = accel === 'verify' ? lockstepSlowdown : 1;
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
    return Math.floor(((stopped < 0 ? this.#hostNs() : stopped) - this.#get(word.origin)) / this.#slowdown);
  }

  /** How long the host takes for a time of the guest's, in nanoseconds. */
  hostSpan(ns: number): number {
    return ns * this.#slowdown;
  }

  get stopped(): boolean {
    return this.#get(word.stopped) >= 0;
  }

  /** How far guest time comes in a time of the host's, in nanoseconds, while the guest runs. */
  guestSpan(hostNs: number): number {
    return hostNs / this.#slowdown;
  }

  /** The first processor slept for so many of the host's nanoseconds: its time went at the usual pace then. */
  slept(hostNs: number): void {
    if (this.#slowdown > 1) this.#set(word.origin, this.#get(word.origin) - Math.floor(hostNs) * (this.#slowdown - 1));
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
