import type { Clock } from '../device-model/time.ts';
import type { Accelerator } from './config.ts';

/**
 * How many times slower guest time goes in lockstep while the guest runs, for it does about as much less in a second: at the
 * usual pace its timers would leave it no time for anything else.
 */
const lockstepSlowdown = 32;

/**
 * Words of 64 bits: host time at which guest time would be 0 had there been no pause; host time at which it stopped, or -1; how often
 * they were changed, of 32 bits.
 */
const word = { origin: 0, stopped: 1, changes: 2, words: 3 } as const;

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
  readonly #changes: Int32Array<SharedArrayBuffer>;
  readonly #slowdown: number;
  /** The words, as they were after so many changes: a number of 64 bits that is read is an object first. */
  #known = { changes: -1, origin: 0, stopped: -1 };

  /** @param hostNs nanoseconds of a clock that never goes back and that all threads share */
  constructor(buffer: SharedArrayBuffer, hostNs: () => number, accel: Accelerator) {
    this.#slowdown = accel === 'verify' ? lockstepSlowdown : 1;
    this.#words = new BigInt64Array(buffer);
    this.#changes = new Int32Array(buffer, word.changes * 8, 1);
    this.#hostNs = hostNs;
  }

  /** Guest time is 0 now. */
  begin(): void {
    this.#set(this.#hostNs(), -1);
  }

  nowNs(): number {
    const { origin, stopped } = this.#times();
    return Math.floor(((stopped < 0 ? this.#hostNs() : stopped) - origin) / this.#slowdown);
  }

  /** How long the host takes for a time of the guest's, in nanoseconds. */
  hostSpan(ns: number): number {
    return ns * this.#slowdown;
  }

  get stopped(): boolean {
    return this.#times().stopped >= 0;
  }

  /** How far guest time comes in a time of the host's, in nanoseconds, while the guest runs. */
  guestSpan(hostNs: number): number {
    return hostNs / this.#slowdown;
  }

  /** The first processor slept for so many of the host's nanoseconds: its time went at the usual pace then. */
  slept(hostNs: number): void {
    if (this.#slowdown === 1) return;
    const { origin, stopped } = this.#times();
    this.#set(origin - Math.floor(hostNs) * (this.#slowdown - 1), stopped);
  }

  stop(): void {
    const { origin, stopped } = this.#times();
    if (stopped < 0) this.#set(origin, this.#hostNs());
  }

  start(): void {
    const { origin, stopped } = this.#times();
    if (stopped >= 0) this.#set(origin + this.#hostNs() - stopped, -1);
  }

  /** A plain look suffices for whether they changed: who changes them does so before it tells others to look. */
  #times(): { readonly origin: number; readonly stopped: number } {
    if (this.#changes[0] !== this.#known.changes) {
      // Ahead of the words on every host, or what was old would count as new.
      const changes = Atomics.load(this.#changes, 0);
      const [origin, stopped] = [word.origin, word.stopped].map((index) => Number(Atomics.load(this.#words, index)));
      this.#known = { changes, origin: origin as number, stopped: stopped as number };
    }
    return this.#known;
  }

  #set(origin: number, stopped: number): void {
    Atomics.store(this.#words, word.origin, BigInt(origin));
    Atomics.store(this.#words, word.stopped, BigInt(stopped));
    Atomics.add(this.#changes, 0, 1);
  }
}
