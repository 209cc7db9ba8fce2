/**
 * Runs a machine: slices of guest execution, and between them timers, devices, serial input, requests to stop. A slice ends when
 * the next timer is due; while the guest halts, the thread sleeps until then.
 */

import { describeCode } from '../cpu/describe-code.ts';
import type { Vcpu, VcpuExit } from '../cpu/vcpu.ts';
import type { TimerQueue } from '../device-model/time.ts';
import type { Board } from './board.ts';
import type { EndRequest, MachineHost, Outcome, Statistics } from './config.ts';
import { describeCrash } from './crash-report.ts';
import type { GuestClock } from './guest-clock.ts';
import type { IoEvents } from './io-events.ts';
import type { Profile, ProfileEntry } from './profile.ts';
import type { SerialPump } from './serial.ts';

export interface RunLoopParts {
  readonly host: MachineHost;
  readonly clock: GuestClock;
  readonly board: Board;
  readonly vcpu: Vcpu;
  readonly timers: TimerQueue;
  readonly serial: SerialPump;
  readonly io: IoEvents;
  readonly profile: Profile | undefined;
}

/** Longest slice: how late serial input and a stop request may be noticed. */
const maxSliceNs = 1_000_000;
/** Shortest slice in instructions: entering and leaving the processor costs about a tenth of it. */
const minSlice = 1000;
const maxSlice = 1_000_000;
/** Instructions over which the speed is measured: one short slice says nothing about it. */
const measuredInstructions = 5000;
/** Instructions per nanosecond before the first measurement. */
const initialSpeed = 0.02;
/** Instructions that a profile shows of a place. */
const profiledLines = 4;
/** Weight of a new measurement. */
const speedWeight = 0.2;

export class RunLoop {
  readonly #parts: RunLoopParts;
  #endRequest: EndRequest | undefined;
  #speed = initialSpeed;
  /** What ran since the speed was last measured. */
  #measured = 0;
  #measuredNs = 0;
  /** When the running slice should end; before everything while none runs. */
  #sliceEndNs = Number.NEGATIVE_INFINITY;
  // Statistics
  #runNs = 0;
  #idleNs = 0;
  #budgetExits = 0;
  #haltExits = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
  }

  /** Called inside guest accesses: the first request counts, and is met when the slice has ended. */
  requestEnd(request: EndRequest): void {
    this.#endRequest ??= request;
    this.#parts.vcpu.kick();
  }

  /** A timer was armed: a slice that would run past it ends. */
  timerArmed(deadlineNs: number): void {
    if (deadlineNs < this.#sliceEndNs) this.#parts.vcpu.kick();
  }

  /** Serial input can go on: the guest need not wait for the end of the slice. */
  receiveReady(): void {
    this.#parts.vcpu.kick();
  }

  run(): Outcome {
    const { host, serial } = this.#parts;
    for (;;) {
      const exit = this.#runSlice();
      serial.flush();
      const end = this.#endAfter(exit);
      if (end !== undefined) return end;
      if (host.pauseRequested()) this.#pause();
      if (host.stopRequested()) return { kind: 'stopped' };
      const served = this.#serve();
      if (exit === 'halt' && !served) this.#idle();
    }
  }

  statistics(): Statistics {
    const { vcpu, timers } = this.#parts;
    const { instructions } = vcpu;
    return {
      instructions,
      millionInstructionsPerSecond: this.#runNs === 0 ? 0 : (instructions / this.#runNs) * 1000,
      guestSeconds: timers.nowNs() / 1e9,
      runSeconds: this.#runNs / 1e9,
      idleSeconds: this.#idleNs / 1e9,
      budgetExits: this.#budgetExits,
      haltExits: this.#haltExits,
      ...vcpu.statistics(),
    };
  }

  profile(): readonly ProfileEntry[] {
    return this.#parts.profile?.hottest() ?? [];
  }

  #sample(): void {
    const { vcpu, profile } = this.#parts;
    const { rip } = vcpu.state;
    profile?.add(rip, vcpu.ranTranslated ? 'translated' : 'interpreted', () => describeCode(vcpu, rip, profiledLines));
  }

  #runSlice(): VcpuExit {
    const { vcpu, timers } = this.#parts;
    const startNs = timers.nowNs();
    const sliceNs = Math.min(maxSliceNs, timers.nextDeadlineNs() - startNs);
    const budget = Math.min(maxSlice, Math.max(minSlice, Math.floor(sliceNs * this.#speed)));
    this.#sliceEndNs = startNs + sliceNs;
    const before = vcpu.instructions;
    const exit = vcpu.run(budget, this.#sliceEndNs);
    this.#sliceEndNs = Number.NEGATIVE_INFINITY;
    if (exit === 'budget') this.#sample();
    const elapsedNs = timers.nowNs() - startNs;
    const done = vcpu.instructions - before;
    this.#runNs += elapsedNs;
    if (exit === 'halt') this.#haltExits++;
    else this.#budgetExits++;
    this.#measure(done, elapsedNs);
    return exit;
  }

  /** Short slices count together, or a speed that was underestimated would make them too short to be measured for good. */
  #measure(instructions: number, elapsedNs: number): void {
    this.#measured += instructions;
    this.#measuredNs += elapsedNs;
    if (this.#measured < measuredInstructions || this.#measuredNs <= 0) return;
    this.#speed += (this.#measured / this.#measuredNs - this.#speed) * speedWeight;
    this.#measured = 0;
    this.#measuredNs = 0;
  }

  #endAfter(exit: VcpuExit): Outcome | undefined {
    if (this.#endRequest !== undefined) return this.#endRequest;
    if (exit !== 'shutdown') return undefined;
    const reason = 'a fault while it handled a double fault (triple fault)';
    return { kind: 'guest-died', reason, report: describeCrash(this.#parts.vcpu) };
  }

  /** Runs due timers, serves the I/O thread and feeds input. @returns whether anything happened that may wake the guest */
  #serve(): boolean {
    const { timers, serial, board, io } = this.#parts;
    const due = timers.nextDeadlineNs() <= timers.nowNs();
    if (due) timers.runExpired();
    const served = io.serve();
    return serial.feed(board.serial) || served || due;
  }

  /** Stands still between two slices, and guest time with it; devices finish what they were asked for. */
  #pause(): void {
    const { host, clock, io } = this.#parts;
    clock.stop();
    while (host.pauseRequested() && !host.stopRequested()) {
      io.serve();
      host.sleep(Number.POSITIVE_INFINITY);
    }
    clock.start();
  }

  #idle(): void {
    const { timers, host } = this.#parts;
    const startNs = timers.nowNs();
    const waitNs = timers.nextDeadlineNs() - startNs;
    if (waitNs > 0) host.sleep(waitNs);
    this.#idleNs += timers.nowNs() - startNs;
    this.#serve();
  }
}
