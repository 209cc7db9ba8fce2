/** The software TLB in the vCPU's memory: emitted code probes it, this class fills and flushes it. */
import { tlb, tlbContext } from '../state/layout.ts';

const words = tlb.entrySize / 4;
const firstWord = tlb.base / 4;
const wordCount = (tlb.contexts * tlb.contextSize) / 4;
const maxLogged = 4096;
const two32 = 0x1_0000_0000;

export class Tlb {
  readonly #words: Int32Array;
  /** Entries of non-global pages filled since the last flush (word indices). */
  readonly #local = new Int32Array(maxLogged);
  #localCount = 0;
  /** One range around all large pages in each half of the address space. */
  readonly #largeStart = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  readonly #largeEnd = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.flushAll();
  }

  #entryWord(context: number, write: boolean, linear: number): number {
    const index = (linear / 4096) & (tlb.entries - 1);
    return firstWord + (context * tlb.contextSize + (write ? tlb.writeOffset : 0)) / 4 + index * words;
  }

  /** Makes `linear`'s page reachable for reads or writes at RAM offset `ramOffset` (of the page). */
  fill(context: number, write: boolean, linear: number, ramOffset: number, global: boolean): void {
    const page = Math.floor(linear / 4096) * 4096;
    const word = this.#entryWord(context, write, page);
    const table = this.#words;
    table[word] = page | 0;
    table[word + 1] = Math.floor(page / two32);
    table[word + 2] = (ramOffset - page) | 0;
    if (global) return;
    if (this.#localCount === maxLogged) {
      // Too many to remember: the next flush takes everything.
      this.#localCount = maxLogged + 1;
    } else if (this.#localCount < maxLogged) {
      this.#local[this.#localCount++] = word;
    }
  }

  /** The offset into RAM of `linear` if its page is entered for such an access, otherwise -1. */
  find(context: number, write: boolean, linear: number): number {
    const page = Math.floor(linear / 4096) * 4096;
    const word = this.#entryWord(context, write, page);
    const table = this.#words;
    if (table[word] !== (page | 0) || table[word + 1] !== Math.floor(page / two32)) return -1;
    return ((table[word + 2] as number) + (linear | 0)) >>> 0;
  }

  flushAll(): void {
    this.#words.fill(-1, firstWord, firstWord + wordCount);
    this.#largeStart.fill(Number.POSITIVE_INFINITY);
    this.#largeEnd.fill(Number.NEGATIVE_INFINITY);
    this.#localCount = 0;
  }

  /** CR3 writes: everything but global pages. May also drop global ones. */
  flushNonGlobal(): void {
    if (this.#localCount > maxLogged) {
      this.flushAll();
      return;
    }
    for (let i = 0; i < this.#localCount; i++) this.#words[this.#local[i] as number] = -1;
    this.#localCount = 0;
  }

  /** Remembers that a large page's pieces may be entered: INVLPG anywhere in it must drop them all. */
  noteLargePage(linear: number, bytes: number): void {
    const start = Math.floor(linear / bytes) * bytes;
    const half = linear < 0 ? 1 : 0;
    this.#largeStart[half] = Math.min(this.#largeStart[half] as number, start);
    this.#largeEnd[half] = Math.max(this.#largeEnd[half] as number, start + bytes);
  }

  /** Whether a large page may cover `linear`. */
  inLargePage(linear: number): boolean {
    const half = linear < 0 ? 1 : 0;
    return linear >= (this.#largeStart[half] as number) && linear < (this.#largeEnd[half] as number);
  }

  /** INVLPG. */
  flushPage(linear: number): void {
    for (let context = 0; context < tlb.contexts; context++) {
      this.#words[this.#entryWord(context, false, linear)] = -1;
      this.#words[this.#entryWord(context, true, linear)] = -1;
    }
  }

  /** A page of RAM received code: no write may bypass the slow path any more. */
  protectRamPage(ramOffset: number): void {
    const table = this.#words;
    const wanted = ramOffset & ~0xfff;
    for (let context = 0; context < tlbContext.checked; context++) {
      const start = firstWord + (context * tlb.contextSize + tlb.writeOffset) / 4;
      for (let word = start; word < start + tlb.entries * words; word += words) {
        const page = table[word] as number;
        if (page !== -1 && ((page + (table[word + 2] as number)) & ~0xfff) === wanted) table[word] = -1;
      }
    }
  }
}
