/** Linear instruction address and block key → record; emitted code reads it (`dispatch-loop.ts`), this fills it. */
import { jumpCache } from '../state/layout.ts';

const firstWord = jumpCache.base / 4;
const wordCount = jumpCache.size / 4;
const entryWords = jumpCache.entrySize / 4;
const offsetMask = (1 << jumpCache.offsetBits) - 1;
const pageMask = (1 << jumpCache.pageBits) - 1;
const maxLogged = 8192;
const two32 = 0x1_0000_0000;

export class JumpCache {
  readonly #words: Int32Array;
  /** Entries from non-global pages (word indices), for CR3 writes. */
  readonly #local = new Int32Array(maxLogged);
  #localCount = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  #entryWord(linear: number): number {
    const low = linear | 0;
    const offset = (low ^ (low >>> jumpCache.offsetBits)) & offsetMask;
    const page = (low >>> 12) & pageMask;
    return firstWord + ((page << jumpCache.offsetBits) | offset) * entryWords;
  }

  enter(linear: number, key: number, record: number, global: boolean): void {
    const word = this.#entryWord(linear);
    const words = this.#words;
    words[word] = linear | 0;
    words[word + 1] = Math.floor(linear / two32);
    words[word + 2] = key;
    words[word + 3] = record;
    if (!global && this.#localCount <= maxLogged) this.#local[this.#localCount++ % maxLogged] = word;
  }

  flushAll(): void {
    this.#words.fill(0, firstWord, firstWord + wordCount);
    this.#localCount = 0;
  }

  flushNonGlobal(): void {
    if (this.#localCount > maxLogged) {
      this.flushAll();
      return;
    }
    for (let i = 0; i < this.#localCount; i++) this.#words[(this.#local[i] as number) + 2] = 0;
    this.#localCount = 0;
  }

  flushPage(linear: number): void {
    const page = ((linear | 0) >>> 12) & pageMask;
    const start = firstWord + (page << jumpCache.offsetBits) * entryWords;
    for (let word = start; word < start + (offsetMask + 1) * entryWords; word += entryWords) this.#words[word + 2] = 0;
  }
}
