/** The software TLB in the vCPU's memory: emitted code probes it, this class fills and flushes it. */
import { tlb, tlbContext } from '../state/layout.ts';

const words = tlb.entrySize / 4;
const firstWord = tlb.base / 4;
const wordCount = (tlb.contexts * tlb.contextSize) / 4;
const contextWords = tlb.contextSize / 4;
const writeWords = tlb.writeOffset / 4;
const maxLogged = 4096;
/** Pages of 4 MB count as two of 2 MB. */
const largeBytes = 0x20_0000;
const hugeBytes = 0x4000_0000;
const two32 = 0x1_0000_0000;

export class Tlb {
  readonly #words: Int32Array;
  /** Entries of non-global pages filled since the last flush (word indices). */
  readonly #local = new Int32Array(maxLogged);
  #localCount = 0;
  /** Large pages of which pieces may be entered, by their number among pages of their size (2 MB; 1 GB). */
  readonly #large = new Set<number>();
  readonly #huge = new Set<number>();

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.flushAll();
  }

  #entryWord(context: number, write: boolean, low: number): number {
    const index = (low >>> 12) & (tlb.entries - 1);
    return firstWord + context * contextWords + (write ? writeWords : 0) + index * words;
  }

  /** Makes `linear`'s page reachable for reads or writes at RAM offset `ramOffset` (of the page). */
  fill(context: number, write: boolean, linear: number, ramOffset: number, global: boolean): void {
    const page = (linear | 0) & ~0xfff;
    const word = this.#entryWord(context, write, page);
    const table = this.#words;
    table[word] = page;
    table[word + 1] = Math.floor(linear / two32);
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
    const low = linear | 0;
    const word = this.#entryWord(context, write, low);
    const table = this.#words;
    if (table[word] !== (low & ~0xfff) || table[word + 1] !== Math.floor(linear / two32)) return -1;
    return ((table[word + 2] as number) + low) >>> 0;
  }

  flushAll(): void {
    this.#words.fill(-1, firstWord, firstWord + wordCount);
    this.#large.clear();
    this.#huge.clear();
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
    if (bytes === hugeBytes) {
      this.#huge.add(Math.floor(linear / hugeBytes));
      return;
    }
    const first = Math.floor(linear / bytes) * (bytes / largeBytes);
    for (let n = 0; n < bytes / largeBytes; n++) this.#large.add(first + n);
  }

  /** Whether a large page may cover `linear`. */
  inLargePage(linear: number): boolean {
    return this.#large.has(Math.floor(linear / largeBytes)) || this.#huge.has(Math.floor(linear / hugeBytes));
  }

  /** INVLPG. */
  flushPage(linear: number): void {
    for (let context = 0; context < tlb.contexts; context++) {
      this.#words[this.#entryWord(context, false, linear | 0)] = -1;
      this.#words[this.#entryWord(context, true, linear | 0)] = -1;
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
