/**
 * The software TLB in the vCPU's memory: emitted code probes it and makes most entries (`interpret/page-walk.ts`), this class the
 * others, and flushes it.
 */
import { fillLog, largePages, tlb, tlbContext } from '../state/layout.ts';

const words = tlb.entrySize / 4;
const firstWord = tlb.base / 4;
const contextWords = tlb.contextSize / 4;
const writeWords = tlb.writeOffset / 4;
/** Pages of 4 MB count as two of 2 MB. */
const largeBytes = 2 ** largePages.shift;
const hugeBytes = 0x4000_0000;
const two32 = 0x1_0000_0000;

/**
 * Where the log of entries that a flush of a context has to take lies, as an index of words; more than fit are only counted: then
 * emptying the whole table is as fast, and takes the supervisor's global pages as well.
 */
const logOf = (context: number): number =>
  (fillLog.base + (context >= tlbContext.user ? context : 0) * fillLog.size) / 4;
const mostOf = (context: number): number =>
  context >= tlbContext.user ? fillLog.mostOfUser : fillLog.mostOfSupervisor;
const usedWord = fillLog.used / 4;
const writableWord = fillLog.writable / 4;
const logHeader = fillLog.words / 4;
const firstLargePage = largePages.base / 4;

export class Tlb {
  readonly #words: Int32Array;
  /** Large pages of which pieces may be entered, by their number among pages of their size (2 MB; 1 GB). */
  readonly #large = new Set<number>();
  readonly #huge = new Set<number>();

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#words.fill(1, usedWord, usedWord + tlb.contexts);
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
    table[usedWord + context] = 1;
    if (write) table[writableWord + context] = 1;
    if (context >= tlbContext.user || !global) this.#log(context, word);
  }

  #log(context: number, word: number): void {
    const log = logOf(context);
    const count = this.#words[log] as number;
    if (count < mostOf(context)) this.#words[log + logHeader + count] = word;
    this.#words[log] = count + 1;
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
    for (let context = 0; context < tlb.contexts; context++) this.#empty(context);
    this.#large.clear();
    this.#huge.clear();
    this.#words.fill(largePages.none, firstLargePage, firstLargePage + largePages.entries);
    for (let context = 0; context < tlb.contexts; context++) this.#words[logOf(context)] = 0;
  }

  #empty(context: number): void {
    if (this.#words[usedWord + context] === 0) return;
    const start = firstWord + context * contextWords;
    this.#words.fill(-1, start, start + contextWords);
    this.#words[usedWord + context] = 0;
    this.#words[writableWord + context] = 0;
  }

  /** Whether every entry that the log has counted is in it: then they are gone. */
  #dropLogged(context: number): boolean {
    const words = this.#words;
    const log = logOf(context);
    const count = words[log] as number;
    const whole = count <= mostOf(context);
    if (whole) for (let n = log + logHeader; n < log + logHeader + count; n++) words[words[n] as number] = -1;
    words[log] = 0;
    return whole;
  }

  /** What the supervisor has of one address space: all but global pages. May also drop global ones. */
  flushSupervisor(): void {
    if (this.#dropLogged(tlbContext.supervisor)) return;
    this.#empty(tlbContext.supervisor);
    this.#empty(tlbContext.supervisorNoUser);
  }

  /** Everything in a context from `tlbContext.user` on. */
  flushUser(context: number): void {
    if (!this.#dropLogged(context)) this.#empty(context);
  }

  /** Remembers that a large page's pieces may be entered: INVLPG anywhere in it must drop them all. */
  noteLargePage(linear: number, bytes: number): void {
    const number = Math.floor(linear / largeBytes);
    this.#words[firstLargePage + (number & (largePages.entries - 1))] = number;
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
      if (this.#words[usedWord + context] === 0) continue;
      this.#words[this.#entryWord(context, false, linear | 0)] = -1;
      this.#words[this.#entryWord(context, true, linear | 0)] = -1;
    }
  }

  /** A page of RAM received code: no write may bypass the slow path any more. */
  protectRamPage(ramOffset: number): void {
    const table = this.#words;
    const wanted = ramOffset & ~0xfff;
    for (let context = 0; context < tlb.contexts; context++) {
      if (table[writableWord + context] === 0) continue;
      const start = firstWord + (context * tlb.contextSize + tlb.writeOffset) / 4;
      for (let word = start; word < start + tlb.entries * words; word += words) {
        const page = table[word] as number;
        if (page !== -1 && ((page + (table[word + 2] as number)) & ~0xfff) === wanted) table[word] = -1;
      }
    }
  }
}
