/**
 * What is told to all processors of where regions begin that were made for one of them: code that is hot on one is worth
 * a region on another as soon as that one runs it, too, for translated and compiled it is already.
 */

/** A power of two. More than a thread is behind with are lost to it. */
const capacity = 4096;
/** Words of an entry: RAM offset; 1 for 64-bit code, 0 for 32-bit code. */
const entryWords = 2;
const firstEntry = 1;

export function allocateMadeRegions(): SharedArrayBuffer {
  return new SharedArrayBuffer((firstEntry + capacity * entryWords) * 4);
}

export class MadeRegions {
  /** How many were told so far; a ring of entries. */
  readonly #words: Int32Array<SharedArrayBuffer>;
  #taken: number;

  /** What was told before is not taken. */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#taken = Atomics.load(this.#words, 0);
  }

  /** To be called by one thread alone. */
  tell(ramOffset: number, long: boolean): void {
    const told = Atomics.load(this.#words, 0);
    const at = this.#at(told);
    Atomics.store(this.#words, at, ramOffset | 0);
    Atomics.store(this.#words, at + 1, long ? 1 : 0);
    Atomics.store(this.#words, 0, told + 1);
  }

  /** Calls `visit` for each that was told since the last call. One that is told meanwhile may come torn: it is a hint. */
  take(visit: (ramOffset: number, long: boolean) => void): void {
    const told = Atomics.load(this.#words, 0);
    // The count wraps around at 32 bits.
    const missing = (told - this.#taken) >>> 0;
    for (let n = Math.min(missing, capacity); n > 0; n--) {
      const at = this.#at(told - n);
      visit((this.#words[at] as number) >>> 0, this.#words[at + 1] !== 0);
    }
    this.#taken = told;
  }

  #at(number: number): number {
    return firstEntry + (number & (capacity - 1)) * entryWords;
  }
}
