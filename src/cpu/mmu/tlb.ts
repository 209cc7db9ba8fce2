/** The software TLB in the vCPU's memory: emitted code probes it, this class fills and flushes it. */
import { tlb, tlbContext } from '../state/layout.ts';

const words = tlb.entrySize / 4;
const firstWord = tlb.base / 4;
const contextWords = tlb.contextSize / 4;
const writeWords = tlb.writeOffset / 4;
/** Beyond this many entries, emptying a whole table is as fast; the supervisor's is emptied of global pages as well then. */
const maxLogged = 1024;
const maxLoggedSupervisor = 4096;
/** Pages of 4 MB count as two of 2 MB. */
const largeBytes = 0x20_0000;
const hugeBytes = 0x4000_0000;
const two32 = 0x1_0000_0000;

/** Entries (word indices) that a flush has to take; more than fit are only counted. */
interface FillLog {
  readonly words: Int32Array;
  count: number;
}

const createLog = (length: number): FillLog => ({ words: new Int32Array(length), count: 0 });

export class Tlb {
  readonly #words: Int32Array;
  /** Non-global pages in the supervisor's contexts. */
  readonly #supervisor = createLog(maxLoggedSupervisor);
  /** By context from `tlbContext.user` on: all pages. */
  readonly #user = Array.from({ length: tlb.contexts - tlbContext.user }, () => createLog(maxLogged));
  /** By context: whether it may hold anything; whether it may hold what can be written to. */
  readonly #used = new Uint8Array(tlb.contexts).fill(1);
  readonly #writable = new Uint8Array(tlb.contexts);
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
    this.#used[context] = 1;
    if (write) this.#writable[context] = 1;
    if (context >= tlbContext.user) this.#log(this.#user[context - tlbContext.user] as FillLog, word);
    else if (!global) this.#log(this.#supervisor, word);
  }

  #log(log: FillLog, word: number): void {
    if (log.count < log.words.length) log.words[log.count] = word;
    log.count++;
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
    this.#supervisor.count = 0;
    for (const log of this.#user) log.count = 0;
  }

  #empty(context: number): void {
    if (this.#used[context] === 0) return;
    const start = firstWord + context * contextWords;
    this.#words.fill(-1, start, start + contextWords);
    this.#used[context] = 0;
    this.#writable[context] = 0;
  }

  /** Whether every entry that the log has counted is in it: then they are gone. */
  #dropLogged(log: FillLog): boolean {
    const whole = log.count <= log.words.length;
    if (whole) for (let n = 0; n < log.count; n++) this.#words[log.words[n] as number] = -1;
    log.count = 0;
    return whole;
  }

  /** What the supervisor has of one address space: all but global pages. May also drop global ones. */
  flushSupervisor(): void {
    if (this.#dropLogged(this.#supervisor)) return;
    this.#empty(tlbContext.supervisor);
    this.#empty(tlbContext.supervisorNoUser);
  }

  /** Everything in a context from `tlbContext.user` on. */
  flushUser(context: number): void {
    if (!this.#dropLogged(this.#user[context - tlbContext.user] as FillLog)) this.#empty(context);
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
      if (this.#used[context] === 0) continue;
      this.#words[this.#entryWord(context, false, linear | 0)] = -1;
      this.#words[this.#entryWord(context, true, linear | 0)] = -1;
    }
  }

  /** A page of RAM received code: no write may bypass the slow path any more. */
  protectRamPage(ramOffset: number): void {
    const table = this.#words;
    const wanted = ramOffset & ~0xfff;
    for (let context = 0; context < tlb.contexts; context++) {
      if (this.#writable[context] === 0) continue;
      const start = firstWord + (context * tlb.contextSize + tlb.writeOffset) / 4;
      for (let word = start; word < start + tlb.entries * words; word += words) {
        const page = table[word] as number;
        if (page !== -1 && ((page + (table[word + 2] as number)) & ~0xfff) === wanted) table[word] = -1;
      }
    }
  }
}
