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
import type { IdleThrift } from './idle-thrift.ts';
import type { IoEvents } from './io-events.ts';
import type { LastWords } from './last-words.ts';
import type { Profile, ProfileEntry } from './profile.ts';
import type { RemoteIoService } from './remote-io.ts';
import type { SerialPump } from './serial.ts';
import { Slices } from './slices.ts';

/** The processors beyond the first. */
export interface OtherProcessors {
  /** Returns when they stand. */
  halt(): void;
  /** Lets them run on; the clock runs again. */
  goOn(): void;
}

export interface RunLoopParts {
  readonly host: MachineHost;
  readonly clock: GuestClock;
  readonly board: Board;
  readonly vcpu: Vcpu;
  readonly timers: TimerQueue;
  readonly serial: SerialPump;
  readonly io: IoEvents;
  readonly remote: RemoteIoService;
  readonly others: OtherProcessors | undefined;
  readonly lastWords: LastWords;
  readonly profile: Profile | undefined;
  readonly thrift: IdleThrift | undefined;
}

/** Instructions that a profile shows of a place. */
const profiledLines = 4;

export class RunLoop {
  readonly #parts: RunLoopParts;
  #endRequest: EndRequest | undefined;
  #deadProcessor: number | undefined;
  readonly #slices: Slices;
  // Statistics
  #idleNs = 0;
  /** Length of the slices whose end told what ran, and of those that ended in translated code. */
  #sampledNs = 0;
  #translatedNs = 0;
  #heldBackNs = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
    this.#slices = new Slices(parts.vcpu, parts.timers, parts.clock);
  }

  /** Another processor has come to a triple fault. */
  processorDied(processor: number): void {
    this.#deadProcessor ??= processor;
  }

  /** Called inside guest accesses: the first request counts, and is met when the slice has ended. */
  requestEnd(request: EndRequest): void {
    this.#endRequest ??= request;
    this.#parts.vcpu.kick();
  }

  /** A timer was armed: a slice that would run past it ends. */
  timerArmed(deadlineNs: number): void {
    this.#slices.timerArmed(deadlineNs);
  }

  /** Serial input can go on: the guest need not wait for the end of the slice. */
  receiveReady(): void {
    this.#parts.vcpu.kick();
  }

  run(): Outcome {
    const { host, serial } = this.#parts;
    for (;;) {
      const exit = this.#standBack() ? 'held-back' : this.#slices.run();
      if (exit === 'budget') this.#sample(this.#slices.elapsedNs);
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
    const { runNs, budgetExits, haltExits } = this.#slices;
    const translatedPart = this.#translatedNs / Math.max(1, this.#sampledNs);
    return {
      instructions,
      millionInstructionsPerSecond: runNs === 0 ? 0 : (instructions / runNs) * 1000,
      guestSeconds: timers.nowNs() / 1e9,
      runSeconds: runNs / 1e9,
      // By what ran at the ends of slices; instructions that TypeScript runs count for who came upon them.
      interpretedSeconds: (runNs * (1 - translatedPart)) / 1e9,
      translatedSeconds: (runNs * translatedPart) / 1e9,
      idleSeconds: this.#idleNs / 1e9,
      heldBackSeconds: this.#heldBackNs / 1e9,
      budgetExits,
      haltExits,
      ...vcpu.statistics(),
    };
  }

  profile(): readonly ProfileEntry[] {
    return this.#parts.profile?.hottest() ?? [];
  }

  #sample(elapsedNs: number): void {
    const { vcpu, profile } = this.#parts;
    const { rip } = vcpu.state;
    const tier = vcpu.ranTranslated ? 'translated' : 'interpreted';
    this.#sampledNs += elapsedNs;
    if (tier === 'translated') this.#translatedNs += elapsedNs;
    profile?.add(rip, tier, elapsedNs, () => describeCode(vcpu, rip, profiledLines));
  }

  #standBack(): boolean {
    const stoodNs = this.#parts.host.standBack();
    this.#heldBackNs += stoodNs;
    return stoodNs > 0;
  }

  #endAfter(exit: VcpuExit | 'held-back'): Outcome | undefined {
    if (this.#endRequest !== undefined) return this.#endRequest;
    if (exit !== 'shutdown' && this.#deadProcessor === undefined) return undefined;
    const { vcpu, lastWords } = this.#parts;
    const dead = this.#deadProcessor;
    const who = dead === undefined ? '' : ` of processor ${dead}`;
    const reason = `a fault${who} while it handled a double fault (triple fault)`;
    return { kind: 'guest-died', reason, report: dead === undefined ? describeCrash(vcpu) : lastWords.read(dead) };
  }

  /** Runs due timers, serves the I/O thread and feeds input. @returns whether anything happened that may wake the guest */
  #serve(): boolean {
    const { timers, serial, board, io, remote } = this.#parts;
    const due = timers.nextDeadlineNs() <= timers.nowNs();
    if (due) timers.runExpired();
    // Mail first: an access that another processor makes comes after the end of an interrupt that it told of before.
    const mail = board.localApic.takeMail();
    const asked = remote.serve();
    const served = io.serve();
    const met = this.#meetRequests();
    return serial.feed(board.serial) || served || mail || asked || met || due;
  }

  #meetRequests(): boolean {
    const { host, board } = this.#parts;
    let met = false;
    for (let request = host.takeRequest(); request !== undefined; request = host.takeRequest()) {
      met = true;
      if (request === 'power-button') board.pressPowerButton();
      else host.report({ kind: 'statistics', statistics: this.statistics() });
    }
    return met;
  }

  /** Stands still between two slices, and guest time with it; devices finish what they were asked for. */
  #pause(): void {
    const { host, clock, io } = this.#parts;
    // Time stands still when nobody looks at it any more.
    this.#parts.others?.halt();
    clock.stop();
    host.report({ kind: 'paused' });
    while (host.pauseRequested() && !host.stopRequested()) {
      this.#meetRequests();
      io.serve();
      host.sleep(Number.POSITIVE_INFINITY);
    }
    clock.start();
    this.#parts.others?.goOn();
    host.report({ kind: 'resumed' });
  }

  #idle(): void {
    const { timers, host, clock } = this.#parts;
    const startNs = timers.nowNs();
    const waitNs = timers.nextDeadlineNs() - startNs;
    if (waitNs > 0) {
      const hostNs = host.nowNs();
      host.sleep(waitNs);
      clock.slept(host.nowNs() - hostNs);
    }
    this.#idleNs += timers.nowNs() - startNs;
    this.#parts.thrift?.halted(timers.nowNs(), this.#slices.runNs);
    this.#serve();
  }
}
