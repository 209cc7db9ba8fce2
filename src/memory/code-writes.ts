/**
 * How processors hear that another thread has written to pages that hold decoded code: places in RAM go through shared
 * memory to every processor's thread, each drops what it decoded from there, and says so.
 */
import type { RamPlace } from './guest-memory.ts';

const maxProcessors = 64;
/** Places that one round carries. */
const roundPlaces = 256;

/** Words: rounds posted, places in the last of them, the last round that each processor has done, and the places. */
const word = { posted: 0, count: 1, done: 2, places: 2 + maxProcessors } as const;
const words = word.places + 2 * roundPlaces;

export const allocateCodeWrites = (): SharedArrayBuffer => new SharedArrayBuffer(words * 4);

/** A processor's end. */
export class CodeWriteReader {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #processor: number;

  constructor(buffer: SharedArrayBuffer, processor: number) {
    this.#words = new Int32Array(buffer);
    this.#processor = processor;
  }

  /** Whether there is a round to do. */
  get waiting(): boolean {
    return Atomics.load(this.#words, word.posted) !== (this.#words[word.done + this.#processor] as number);
  }

  /** Does the round that waits. No emitted code may be running. */
  serve(drop: (offset: number, length: number) => void): void {
    const round = Atomics.load(this.#words, word.posted);
    const mine = word.done + this.#processor;
    if (round === this.#words[mine]) return;
    const count = this.#words[word.count] as number;
    for (let at = word.places; at < word.places + 2 * count; at += 2)
      drop((this.#words[at] as number) >>> 0, (this.#words[at + 1] as number) >>> 0);
    Atomics.store(this.#words, mine, round);
    Atomics.notify(this.#words, mine);
  }
}

/** The writing thread's end: one round at a time, what comes meanwhile goes with the next. */
export class CodeWriteSender {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #processors: number;
  readonly #wake: () => void;
  #next: { places: RamPlace[]; done: (() => void)[] } = { places: [], done: [] };
  #busy = false;

  /** @param wake makes processors look: those that run, and those that sleep */
  constructor(buffer: SharedArrayBuffer, processors: number, wake: () => void) {
    this.#words = new Int32Array(buffer);
    this.#processors = processors;
    this.#wake = wake;
  }

  /** @param done called when every processor has dropped what it had decoded from `places` */
  drop(places: readonly RamPlace[], done: () => void): void {
    for (const place of places) this.#next.places.push(place);
    this.#next.done.push(done);
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next.done.length > 0) {
      const { places, done } = this.#next;
      this.#next = { places: [], done: [] };
      for (let at = 0; at < places.length; at += roundPlaces) await this.#round(places.slice(at, at + roundPlaces));
      for (const call of done) call();
    }
    this.#busy = false;
  }

  async #round(places: readonly RamPlace[]): Promise<void> {
    places.forEach(({ offset, length }, n) => {
      this.#words[word.places + 2 * n] = offset;
      this.#words[word.places + 2 * n + 1] = length;
    });
    this.#words[word.count] = places.length;
    const round = (Atomics.load(this.#words, word.posted) + 1) | 0;
    Atomics.store(this.#words, word.posted, round);
    this.#wake();
    for (let processor = 0; processor < this.#processors; processor++) await this.#done(processor, round);
  }

  async #done(processor: number, round: number): Promise<void> {
    const at = word.done + processor;
    for (let seen = Atomics.load(this.#words, at); seen !== round; seen = Atomics.load(this.#words, at)) {
      const wait = Atomics.waitAsync(this.#words, at, seen);
      if (wait.async) await wait.value;
    }
  }
}
