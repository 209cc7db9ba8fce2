/** Place of code in RAM → record and region; emitted code reads it (`lookup.ts`), this fills it. */
import { jumpCache } from '../state/layout.ts';
import { moveMappingOn } from '../state/mapping.ts';

const setWords = jumpCache.setSize / 4;
const entryWords = jumpCache.entrySize / 4;
const firstWord = jumpCache.base / 4;
const wordCount = jumpCache.sets * setWords;

export class JumpCache {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  static #word(ramOffset: number): number {
    return firstWord + ((ramOffset ^ (ramOffset >>> jumpCache.setBits)) & (jumpCache.sets - 1)) * setWords;
  }

  /** `region`: a region reference, 0 if the interpreter runs the record. */
  enter(ramOffset: number, modeIndex: number, record: number, region: number): void {
    const word = JumpCache.#word(ramOffset);
    const table = this.#words;
    const same = table[word] === (ramOffset | 0) && table[word + 1] === modeIndex + 1;
    // The newer one comes first; what it pushes out of the set is the older one.
    if (!same) table.copyWithin(word + entryWords, word, word + entryWords);
    table[word] = ramOffset | 0;
    table[word + 1] = modeIndex + 1;
    table[word + 2] = record;
    table[word + 3] = region;
  }

  /** Whatever is known about code at `ramOffset` counts no longer. */
  forget(ramOffset: number): void {
    const word = JumpCache.#word(ramOffset);
    for (const entry of [word, word + entryWords]) {
      if (this.#words[entry] === (ramOffset | 0)) this.#words[entry + 1] = 0;
    }
  }

  /** Regions came or went: what is known by linear address counts no longer. (Records that change say so themselves.) */
  forgetTargets(): void {
    moveMappingOn(this.#words);
  }

  flushAll(): void {
    this.forgetTargets();
    this.#words.fill(0, firstWord, firstWord + wordCount);
  }
}
