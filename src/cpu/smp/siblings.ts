/**
 * One processor among several: how it keeps what it has derived from memory (write entries of the TLB, decoded code)
 * true while others write, and how it stops them for what no host can do at once.
 *
 * Rules that keep this free of deadlocks: whoever waits for another is not busy itself, so nobody waits for it; whoever
 * becomes busy looks at its mail and at the stop word afterwards, and whoever posts mail or stops the others does so
 * before it looks whether they are busy.
 */
import type { PageUsers } from '../../memory/page-users.ts';
import type { Bus } from './bus-module.ts';
import type { CodeWrite, Mail, ProcessorBoard } from './processor-board.ts';

/** Rounds of looking before a thread goes to sleep: as long as a processor takes to notice a kick, mostly. */
const spins = 2000;
/** The last is that before it sleeps. */
const spinsPerService = 100;
/** Longest sleep: a kick that came too early for a slice is repeated then. */
const napMs = 1;

export interface SiblingsParts {
  readonly board: ProcessorBoard;
  readonly processor: number;
  readonly processors: number;
  readonly users: PageUsers;
  /** For emitted code; what takes longer comes to this class. */
  readonly bus: Bus;
  /** Ends the running slice of a processor. */
  readonly kick: (processor: number) => void;
  /** The host's, for all of them. */
  readonly cores: number;
  /** What others want of this processor's thread, and want as well while they keep it stopped. */
  readonly serve?: () => void;
}

/** What a processor does with its mail. */
export interface MailHandlers {
  /** No write to the page may bypass the slow path any more. */
  readonly protect: (ramPage: number) => void;
  readonly protectAll: () => void;
  /** No emitted code is running. */
  readonly dropCode: (write: CodeWrite) => void;
  readonly dropAllCode: () => void;
}

/** PAUSE instructions after which a processor lets another run, where there are too many. */
const pausesPerYield = 16;
const yieldMs = 0.1;

export class Siblings {
  readonly bus: Bus;
  readonly #parts: SiblingsParts;
  #handlers: MailHandlers | undefined;
  #pauses = 0;
  /** Nobody notifies it. */
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));

  constructor(parts: SiblingsParts) {
    this.#parts = parts;
    this.bus = parts.bus;
  }

  attach(handlers: MailHandlers): void {
    this.#handlers = handlers;
  }

  /** Whether a slice had better not begin. */
  get attention(): boolean {
    const { board, processor } = this.#parts;
    const stoppedBy = board.stoppedBy;
    return board.hasMail(processor) || (stoppedBy >= 0 && stoppedBy !== processor);
  }

  /** Whether processors take all of the host's cores, this one included. */
  get coresTaken(): boolean {
    const { board, processor, processors, cores } = this.#parts;
    let running = 1;
    for (let other = 0; other < processors; other++) if (other !== processor && board.isBusy(other)) running++;
    return running >= cores;
  }

  /** A slice is about to begin; returns when nobody minds. */
  enter(): void {
    this.#becomeBusy(false);
  }

  /** The slice has ended. */
  leave(): void {
    const { board, processor } = this.#parts;
    this.resumeOthers();
    board.setBusy(processor, false);
  }

  /** Runs something that waits, inside a slice. */
  block<T>(wait: () => T): T {
    const { board, processor, kick } = this.#parts;
    board.setBusy(processor, false);
    const result = wait();
    this.#becomeBusy(true);
    // Emitted code is underneath: what has become of its code is seen to when it has ended.
    if (board.hasMail(processor)) kick(processor);
    return result;
  }

  #becomeBusy(inSlice: boolean): void {
    const { board, processor } = this.#parts;
    for (;;) {
      board.setBusy(processor, true);
      const stoppedBy = board.stoppedBy;
      if (stoppedBy < 0 || stoppedBy === processor) break;
      board.setBusy(processor, false);
      this.#awaitGo(stoppedBy);
    }
    if (board.hasMail(processor)) this.#open(board.takeMail(processor, inSlice));
  }

  #open({ pages, writes }: Mail): void {
    const handlers = this.#handlers as MailHandlers;
    if (pages === undefined) handlers.protectAll();
    else for (const page of pages) handlers.protect(page);
    if (writes === undefined) handlers.dropAllCode();
    else for (const write of writes) handlers.dropCode(write);
  }

  /** Returns when no other processor runs guest code; they stay so until `resumeOthers` or the end of the slice. */
  stopOthers(): void {
    const { board, processor } = this.#parts;
    while (board.stoppedBy !== processor && !board.tryStop(processor)) {
      const holder = board.stoppedBy;
      if (holder >= 0) this.block(() => this.#awaitGo(holder));
    }
    this.#awaitOthers();
  }

  #awaitGo(holder: number): void {
    const { board, serve } = this.#parts;
    // What cannot be done at once takes a microsecond; waking a thread takes many.
    for (let n = 1; n <= spins; n++) {
      if (board.stoppedBy !== holder) return;
      if (n % spinsPerService === 0) serve?.();
    }
    // Others want nothing of a processor without board: a pause may keep it here for hours.
    board.awaitGo(holder, serve === undefined ? Number.POSITIVE_INFINITY : napMs);
  }

  /** Makes processors look that this one has stopped: it wants something of one of them. */
  nudge(): void {
    const { board, processor } = this.#parts;
    if (board.stoppedBy === processor) board.nudge();
  }

  /** Outside slices: returns when no other processor runs guest code; they stay so until `resumeOthers`. */
  haltOthers(): void {
    const { board, processor } = this.#parts;
    while (!board.tryStop(processor)) {
      const holder = board.stoppedBy;
      if (holder >= 0) this.#awaitGo(holder);
    }
    this.#awaitOthers();
  }

  #awaitOthers(): void {
    const { processor, processors, kick } = this.#parts;
    for (let other = 0; other < processors; other++) if (other !== processor) kick(other);
    for (let other = 0; other < processors; other++) if (other !== processor) this.#awaitIdle(other);
  }

  /** Does nothing where they are not stopped by this processor. */
  resumeOthers(): void {
    const { board, processor } = this.#parts;
    if (board.stoppedBy === processor) board.goOn();
  }

  #awaitIdle(other: number): void {
    const { board, kick } = this.#parts;
    for (let n = 0; board.isBusy(other); n++) {
      if (n < spins) continue;
      kick(other);
      board.awaitIdle(other, napMs);
    }
  }

  /** Returns when no other processor can write to the page unseen. @param writers those that may, a bit each */
  protect(ramPage: number, writers: number): void {
    const { board, processor, processors, kick, users } = this.#parts;
    const asked: number[] = [];
    for (let other = 0; other < processors; other++) {
      if ((writers & (1 << other)) === 0 || other === processor) continue;
      board.postPage(other, ramPage);
      kick(other);
      asked.push(other);
    }
    // One that is not busy looks at its mail before it is again.
    const unseen = (): boolean => asked.some((other) => board.isBusy(other) && users.writes(ramPage, other));
    this.block(() => {
      for (let n = 0; unseen(); n++) {
        if (n < spins) continue;
        for (const other of asked) kick(other);
        Atomics.wait(this.#nap, 0, 0, napMs / 10);
      }
    });
  }

  /** Code was overwritten of which other processors (a bit each) hold some. */
  tellWritten(others: number, ramOffset: number, length: number): void {
    const { board, processors, kick } = this.#parts;
    for (let other = 0; other < processors; other++) {
      if ((others & (1 << other)) === 0) continue;
      board.postWrite(other, { ramOffset, length });
      kick(other);
    }
  }

  /** The PAUSE instruction. */
  pause(): void {
    // With more processors than the host has cores, one that spins had better let another run.
    if (this.#parts.processors <= this.#parts.cores || ++this.#pauses % pausesPerYield !== 0) return;
    this.block(() => Atomics.wait(this.#nap, 0, 0, yieldMs));
  }
}
