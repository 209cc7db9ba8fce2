/** Runs a processor in slices that end about when something else is due: how many instructions that is, it learns. */
import type { Vcpu, VcpuExit } from '../cpu/vcpu.ts';
import type { TimerQueue } from '../device-model/time.ts';
import type { GuestClock } from './guest-clock.ts';

/** Longest slice, in the host's time: how late serial input and a stop request may be noticed. */
const maxSliceNs = 1_000_000;
/** Shortest slice in instructions: entering and leaving the processor costs about a tenth of it. */
const minSlice = 1000;
const maxSlice = 1_000_000;
/** Instructions over which the speed is measured: one short slice says nothing about it. */
const measuredInstructions = 5000;
/** Instructions per nanosecond before the first measurement. */
const initialSpeed = 0.02;
/** Weight of a new measurement. */
const speedWeight = 0.2;

export class Slices {
  readonly #vcpu: Vcpu;
  readonly #timers: TimerQueue;
  /** In guest time. */
  readonly #maxSliceNs: number;
  #speed = initialSpeed;
  /** What ran since the speed was last measured. */
  #measured = 0;
  #measuredNs = 0;
  /** When the running slice should end; before everything while none runs. */
  #endNs = Number.NEGATIVE_INFINITY;
  /** Of the last slice. */
  elapsedNs = 0;
  // Statistics
  runNs = 0;
  budgetExits = 0;
  haltExits = 0;

  constructor(vcpu: Vcpu, timers: TimerQueue, clock: Pick<GuestClock, 'guestSpan'>) {
    this.#vcpu = vcpu;
    this.#timers = timers;
    this.#maxSliceNs = clock.guestSpan(maxSliceNs);
  }

  /** A timer was armed: a slice that would run past it ends. */
  timerArmed(deadlineNs: number): void {
    if (deadlineNs < this.#endNs) this.#vcpu.kick();
  }

  run(): VcpuExit {
    const vcpu = this.#vcpu;
    const timers = this.#timers;
    const startNs = timers.nowNs();
    const sliceNs = Math.min(this.#maxSliceNs, timers.nextDeadlineNs() - startNs);
    const budget = Math.min(maxSlice, Math.max(minSlice, Math.floor(sliceNs * this.#speed)));
    this.#endNs = startNs + sliceNs;
    const before = vcpu.instructions;
    const exit = vcpu.run(budget, this.#endNs);
    this.#endNs = Number.NEGATIVE_INFINITY;
    this.elapsedNs = timers.nowNs() - startNs;
    this.runNs += this.elapsedNs;
    if (exit === 'halt') this.haltExits++;
    else this.budgetExits++;
    this.#measure(vcpu.instructions - before);
    return exit;
  }

  /** Short slices count together, or a speed that was underestimated would make them too short to be measured for good. */
  #measure(instructions: number): void {
    this.#measured += instructions;
    this.#measuredNs += this.elapsedNs;
    if (this.#measured < measuredInstructions || this.#measuredNs <= 0) return;
    this.#speed += (this.#measured / this.#measuredNs - this.#speed) * speedWeight;
    this.#measured = 0;
    this.#measuredNs = 0;
  }
}
