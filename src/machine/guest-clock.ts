import type { Clock } from '../device-model/time.ts';

/**
 * The guest's monotonic time: 0 when the machine is built, and standing still while the machine is paused. Everything
 * that counts time in the guest (TSC, kvmclock, APIC, HPET, PIT, PM timer) counts this clock, so a pause is not there
 * for it: no timer is late, no watchdog bites. The real-time clock alone shows the host's time of day.
 */
export class GuestClock implements Clock {
  readonly #hostNs: () => number;
  /** Host time at which guest time would be 0 had there been no pause. */
  #originNs: number;
  #stoppedNs: number | undefined;

  constructor(hostNs: () => number) {
    this.#hostNs = hostNs;
    this.#originNs = hostNs();
  }

  nowNs(): number {
    return (this.#stoppedNs ?? this.#hostNs()) - this.#originNs;
  }

  stop(): void {
    this.#stoppedNs ??= this.#hostNs();
  }

  start(): void {
    if (this.#stoppedNs === undefined) return;
    this.#originNs += this.#hostNs() - this.#stoppedNs;
    this.#stoppedNs = undefined;
  }
}
