/** The timer of a local APIC: one-shot, periodic, TSC-deadline. SDM Vol. 3A 12.5.4. */
import type { Timer, TimerService } from '../../device-model/time.ts';
import { apicLvt, apicRegister } from '../../spec/x86/apic.ts';

/** Nanoseconds per tick of the bus clock: 1 GHz. */
const busTickNs = 1;

export interface ApicTimerState {
  mode: number;
  initialCount: number;
  divideConfiguration: number;
  /** When the running countdown reaches zero; `Infinity` when it does not run. */
  deadlineNs: number;
  /** IA32_TSC_DEADLINE. */
  tscDeadline: bigint;
}

export interface ApicTimerWiring {
  readonly timers: TimerService;
  /** Name of the timer, for traces. */
  readonly name: string;
  /** The guest-visible time at which the TSC reaches `tsc`. */
  readonly tscToNs: (tsc: bigint) => number;
  readonly expire: () => void;
}

export class ApicTimer {
  readonly #wiring: ApicTimerWiring;
  readonly #timer: Timer;
  #state: ApicTimerState = stoppedTimer();

  constructor(wiring: ApicTimerWiring) {
    this.#wiring = wiring;
    this.#timer = wiring.timers.createTimer(wiring.name, () => this.#expired());
  }

  reset(): void {
    this.restore(stoppedTimer());
  }

  /** Selects one-shot, periodic or TSC-deadline (LVT bits 18:17). To and from TSC-deadline, the timer is disarmed. */
  setMode(mode: number): void {
    const before = this.#state.mode;
    this.#state.mode = mode;
    if (mode !== before && (mode === apicLvt.timerTscDeadline || before === apicLvt.timerTscDeadline)) {
      this.#state.tscDeadline = 0n;
      this.#arm(Number.POSITIVE_INFINITY);
    }
  }

  /** Expires now if the time has come but nobody has polled the timers yet: for changes that must not count before it. */
  catchUp(): void {
    if (this.#state.deadlineNs > this.#wiring.timers.nowNs()) return;
    this.#timer.cancel();
    this.#expired();
  }

  /** Reads a register of the timer by its xAPIC offset; undefined where there is none. */
  read(offset: number): number | undefined {
    if (offset === apicRegister.initialCount) return this.initialCount;
    if (offset === apicRegister.currentCount) return this.currentCount;
    return offset === apicRegister.divideConfiguration ? this.divideConfiguration : undefined;
  }

  /** Writes one. @returns whether there is a writable one */
  write(offset: number, value: number): boolean {
    if (offset === apicRegister.initialCount) this.initialCount = value;
    else if (offset === apicRegister.divideConfiguration) this.divideConfiguration = value;
    else return false;
    return true;
  }

  get initialCount(): number {
    return this.#state.initialCount;
  }

  /** Starts the countdown; 0 stops it. No effect in TSC-deadline mode. */
  set initialCount(count: number) {
    if (this.#state.mode === apicLvt.timerTscDeadline) return;
    this.#state.initialCount = count >>> 0;
    this.#arm(count === 0 ? Number.POSITIVE_INFINITY : this.#wiring.timers.nowNs() + this.#periodNs());
  }

  get currentCount(): number {
    const remainingNs = this.#remainingNs();
    return Number.isFinite(remainingNs) ? Math.ceil(remainingNs / this.#tickNs()) : 0;
  }

  get divideConfiguration(): number {
    return this.#state.divideConfiguration;
  }

  /** Changes the length of a tick; a running countdown keeps its count. */
  set divideConfiguration(value: number) {
    const count = this.currentCount;
    this.#state.divideConfiguration = value & 0b1011;
    if (Number.isFinite(this.#state.deadlineNs) && this.#state.mode !== apicLvt.timerTscDeadline) {
      this.#arm(this.#wiring.timers.nowNs() + count * this.#tickNs());
    }
  }

  get tscDeadline(): bigint {
    return this.#state.tscDeadline;
  }

  /** Arms the timer for an absolute TSC value; 0 disarms. No effect outside TSC-deadline mode. */
  set tscDeadline(deadline: bigint) {
    if (this.#state.mode !== apicLvt.timerTscDeadline) return;
    this.#state.tscDeadline = deadline;
    this.tscChanged();
  }

  /** To be called when the relation of TSC and time changes (the guest wrote the TSC or its adjustment). */
  tscChanged(): void {
    if (this.#state.mode !== apicLvt.timerTscDeadline) return;
    const deadline = this.#state.tscDeadline;
    this.#arm(deadline === 0n ? Number.POSITIVE_INFINITY : this.#wiring.tscToNs(deadline));
  }

  save(): ApicTimerState {
    return { ...this.#state };
  }

  restore(state: ApicTimerState): void {
    this.#state = { ...state };
    this.#timer.setDeadline(state.deadlineNs);
  }

  /** Bits 3, 1:0 select 2, 4, 8 … 128, 1. SDM Vol. 3A figure 12-10. */
  #tickNs(): number {
    const value = this.#state.divideConfiguration;
    const select = (value & 3) | ((value & 8) >>> 1);
    return busTickNs * (1 << ((select + 1) & 7));
  }

  #periodNs(): number {
    return this.#state.initialCount * this.#tickNs();
  }

  #arm(deadlineNs: number): void {
    this.#state.deadlineNs = deadlineNs;
    this.#timer.setDeadline(deadlineNs);
  }

  /** Time to the next zero; the countdown of a periodic timer that is late has already wrapped. */
  #remainingNs(): number {
    const { deadlineNs, mode } = this.#state;
    if (mode === apicLvt.timerTscDeadline || !Number.isFinite(deadlineNs)) return Number.POSITIVE_INFINITY;
    const remaining = deadlineNs - this.#wiring.timers.nowNs();
    if (remaining > 0) return remaining;
    const period = this.#periodNs();
    return mode === apicLvt.timerPeriodic && period > 0 ? period - (-remaining % period) : 0;
  }

  #expired(): void {
    const period = this.#periodNs();
    if (this.#state.mode === apicLvt.timerPeriodic && period > 0) {
      // Ticks that were missed are lost, as one IRR bit holds no more than one.
      this.#arm(this.#wiring.timers.nowNs() + this.#remainingNs());
    } else {
      this.#state.tscDeadline = 0n;
      this.#arm(Number.POSITIVE_INFINITY);
    }
    this.#wiring.expire();
  }
}

function stoppedTimer(): ApicTimerState {
  return {
    mode: apicLvt.timerOneShot,
    initialCount: 0,
    divideConfiguration: 0,
    deadlineNs: Number.POSITIVE_INFINITY,
    tscDeadline: 0n,
  };
}
