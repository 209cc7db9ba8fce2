/**
 * The words that the processors of a machine share to keep out of each other's way: who runs guest code, who wants
 * everybody else to stand still, and what each has to take notice of before it runs on. All of it is read and written by
 * atomics; a processor that changes a word for another kicks it afterwards.
 */

import { maxProcessors } from '../../memory/page-users.ts';
import { type WasmMemory, webAssembly } from '../../wasm/webassembly.ts';

/** What each list holds. */
const capacity = 512;

/** Words of one processor. */
const word = {
  /** 1 while it may touch guest memory; 0 while it sleeps, waits or is between slices. */
  busy: 0,
  /** 1 while its lists below are not empty. */
  mail: 1,
  /** 1 while somebody works on the lists. */
  lock: 2,
  /** Pages that it must not write to unseen any more. */
  pageCount: 3,
  pages: 4,
  /** Runs of RAM (offset, length) whose code it has to drop. */
  writeCount: 4 + capacity,
  writes: 5 + capacity,
  words: 5 + capacity + 2 * capacity,
} as const;

const pageBytes = 4096;
/** The processor + 1 that has stopped the others; 0: none. */
const stopWord = 0;
/** Threads that sleep until that changes, and threads that sleep until a processor is not busy: waking takes long. */
const stopSleepers = 1;
const busySleepers = 2;
const firstWords = 16;

export interface CodeWrite {
  readonly ramOffset: number;
  readonly length: number;
}

/** What a processor finds in its lists; undefined: more than they hold. */
export interface Mail {
  readonly pages: readonly number[] | undefined;
  readonly writes: readonly CodeWrite[] | undefined;
}

const maxBytes = (firstWords + maxProcessors * word.words) * 4;
/** WebAssembly's pages. */
export const boardPages = Math.ceil(maxBytes / 65_536);

/** A memory, so that emitted code can see it. */
export const allocateProcessorBoard = (): WasmMemory =>
  new webAssembly.Memory({ initial: boardPages, maximum: boardPages, shared: true });

/** Where emitted code finds the words, in bytes. */
export const boardWord = {
  stop: 4 * stopWord,
  stopSleepers: 4 * stopSleepers,
  busySleepers: 4 * busySleepers,
  busy: (processor: number): number => 4 * (firstWords + processor * word.words + word.busy),
  mail: (processor: number): number => 4 * (firstWords + processor * word.words + word.mail),
} as const;

export class ProcessorBoard {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor({ buffer }: WasmMemory) {
    this.#words = new Int32Array(buffer);
  }

  #at(processor: number, field: number): number {
    return firstWords + processor * word.words + field;
  }

  isBusy(processor: number): boolean {
    return Atomics.load(this.#words, this.#at(processor, word.busy)) !== 0;
  }

  setBusy(processor: number, busy: boolean): void {
    const at = this.#at(processor, word.busy);
    Atomics.store(this.#words, at, busy ? 1 : 0);
    if (!busy && Atomics.load(this.#words, busySleepers) !== 0) Atomics.notify(this.#words, at);
  }

  /** Returns when a processor is no longer busy, or after `maxMs`. */
  awaitIdle(processor: number, maxMs: number): void {
    this.#sleep(busySleepers, this.#at(processor, word.busy), 1, maxMs);
  }

  hasMail(processor: number): boolean {
    return Atomics.load(this.#words, this.#at(processor, word.mail)) !== 0;
  }

  /** The processor that has stopped the others; -1: none. */
  get stoppedBy(): number {
    return Atomics.load(this.#words, stopWord) - 1;
  }

  /** @returns whether it is `processor` now that has stopped the others */
  tryStop(processor: number): boolean {
    return Atomics.compareExchange(this.#words, stopWord, 0, processor + 1) === 0;
  }

  goOn(): void {
    Atomics.store(this.#words, stopWord, 0);
    if (Atomics.load(this.#words, stopSleepers) !== 0) Atomics.notify(this.#words, stopWord);
  }

  /** `awaitGo` returns, for all. */
  nudge(): void {
    Atomics.notify(this.#words, stopWord);
  }

  /** Returns when `processor` no longer keeps the others stopped, when it nudges, or after `maxMs`. */
  awaitGo(processor: number, maxMs: number): void {
    this.#sleep(stopSleepers, stopWord, processor + 1, maxMs);
  }

  /** Whoever changes the word at `at` afterwards finds this thread counted; if it was changed before, nobody sleeps. */
  #sleep(sleepers: number, at: number, value: number, maxMs: number): void {
    Atomics.add(this.#words, sleepers, 1);
    Atomics.wait(this.#words, at, value, maxMs);
    Atomics.sub(this.#words, sleepers, 1);
  }

  /** Tells `processor` that it must not write to a page unseen. */
  postPage(processor: number, page: number): void {
    this.#locked(processor, () => {
      const at = this.#at(processor, word.pageCount);
      const count = this.#words[at] as number;
      if (count < capacity) this.#words[this.#at(processor, word.pages) + count] = page;
      this.#words[at] = Math.min(count + 1, capacity + 1);
    });
  }

  /**
   * Tells `processor` that code has been overwritten. Who clears or copies a page says so for every few bytes: what follows
   * within the same page joins the run before it, with all that lies in between.
   */
  postWrite(processor: number, { ramOffset, length }: CodeWrite): void {
    this.#locked(processor, () => {
      const at = this.#at(processor, word.writeCount);
      const count = this.#words[at] as number;
      if (
        count > 0 &&
        count <= capacity &&
        this.#joins(this.#at(processor, word.writes) + 2 * count - 2, ramOffset, length)
      )
        return;
      if (count < capacity) {
        this.#words[this.#at(processor, word.writes) + 2 * count] = ramOffset;
        this.#words[this.#at(processor, word.writes) + 2 * count + 1] = length;
      }
      this.#words[at] = Math.min(count + 1, capacity + 1);
    });
  }

  /** Makes the run at `at` reach over another if both lie in one page. @returns whether they do */
  #joins(at: number, ramOffset: number, length: number): boolean {
    const start = (this.#words[at] as number) >>> 0;
    const end = start + (this.#words[at + 1] as number);
    const first = Math.min(start, ramOffset);
    const last = Math.max(end, ramOffset + length) - 1;
    if (Math.floor(first / pageBytes) !== Math.floor(last / pageBytes)) return false;
    this.#words[at] = first;
    this.#words[at + 1] = last + 1 - first;
    return true;
  }

  /** Takes what the lists hold. `keepWrites`: code cannot be dropped now. */
  takeMail(processor: number, keepWrites: boolean): Mail {
    const words = this.#words;
    let mail: Mail = { pages: [], writes: [] };
    this.#locked(processor, () => {
      const pageCount = words[this.#at(processor, word.pageCount)] as number;
      const writeCount = keepWrites ? 0 : (words[this.#at(processor, word.writeCount)] as number);
      const pagesAt = this.#at(processor, word.pages);
      const writesAt = this.#at(processor, word.writes);
      mail = {
        pages: pageCount > capacity ? undefined : [...words.subarray(pagesAt, pagesAt + pageCount)],
        writes:
          writeCount > capacity
            ? undefined
            : Array.from({ length: writeCount }, (_, n) => ({
                ramOffset: (words[writesAt + 2 * n] as number) >>> 0,
                length: words[writesAt + 2 * n + 1] as number,
              })),
      };
      words[this.#at(processor, word.pageCount)] = 0;
      if (!keepWrites) words[this.#at(processor, word.writeCount)] = 0;
    });
    return mail;
  }

  /** The lists are short, and nobody sleeps in here: a processor that finds the lock taken may spin. */
  #locked(processor: number, change: () => void): void {
    const at = this.#at(processor, word.lock);
    while (Atomics.compareExchange(this.#words, at, 0, 1) !== 0);
    change();
    const left =
      (this.#words[this.#at(processor, word.pageCount)] as number) +
      (this.#words[this.#at(processor, word.writeCount)] as number);
    Atomics.store(this.#words, this.#at(processor, word.mail), left === 0 ? 0 : 1);
    Atomics.store(this.#words, at, 0);
  }
}
