/** The code TLB in the vCPU's memory: emitted code probes it at control transfers, this class fills and flushes it. */
import { codeKeySpace, isUserKey } from '../state/block-key.ts';
import { codeTlb, codeTlbMix } from '../state/layout.ts';
import { moveMappingOn } from '../state/mapping.ts';

const words = codeTlb.entrySize / 4;
const firstWord = codeTlb.base / 4;
const wordCount = codeTlb.entries * words;
/** Beyond this many, looking at every entry is as fast. */
const maxLogged = 512;
const two32 = 0x1_0000_0000;
const pagesOf4G = 1 << 20;

/** The number of the page of `linear`; addresses of the upper half are negative. */
const pageOf = (linear: number): number => Math.floor(linear / 4096);

export class CodeTlb {
  readonly #words: Int32Array;
  /** By entry: 1 if its page is global. */
  readonly #global = new Uint8Array(codeTlb.entries);
  /** The number of the present address space, as code keys have it. */
  #space = 0;
  /** By number of an address space: 1 if its user code has been entered. */
  readonly #spaceUsed = new Uint8Array(codeKeySpace.numbers);
  /** Slots that received the supervisor's pages that are not global since the last flush; how many, perhaps more than are listed. */
  readonly #local = new Int32Array(maxLogged);
  #localCount = 0;
  /** Numbers of pages that lost their entries to others since the mapping moved on. */
  readonly #evicted = new Set<number>();

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** From now on user code is that of the address space `number`. */
  set space(number: number) {
    this.#space = number << codeKeySpace.shift;
  }

  /** Whether anything may be known of user code in the address space `number`. */
  knowsSpace(number: number): boolean {
    return this.#spaceUsed[number] !== 0;
  }

  /** The code key of a block key, in the present address space. */
  codeKeyOf(key: number): number {
    return isUserKey(key) ? key | this.#space : key;
  }

  static #slot(linear: number, codeKey: number): number {
    return (pageOf(linear) & (codeTlb.entries - 1)) ^ ((codeKey << codeTlbMix.shift) & codeTlbMix.mask);
  }

  /** The RAM offset of the page of `linear` under block key `key`; -1 if it is not entered. */
  find(linear: number, key: number): number {
    const codeKey = this.codeKeyOf(key);
    const word = firstWord + CodeTlb.#slot(linear, codeKey) * words;
    const table = this.#words;
    if (table[word] !== ((linear & ~0xfff) | codeKey) || table[word + 1] !== Math.floor(linear / two32)) return -1;
    return (table[word + 2] as number) >>> 0;
  }

  enter(linear: number, key: number, ramPage: number, global: boolean): void {
    const codeKey = this.codeKeyOf(key);
    const slot = CodeTlb.#slot(linear, codeKey);
    const word = firstWord + slot * words;
    this.#noteEviction(word, linear);
    this.#words[word] = (linear & ~0xfff) | codeKey;
    this.#words[word + 1] = Math.floor(linear / two32);
    this.#words[word + 2] = ramPage | 0;
    this.#global[slot] = global ? 1 : 0;
    if (isUserKey(key)) this.#spaceUsed[this.#space >> codeKeySpace.shift] = 1;
    // Nobody finds a user's pages once their address space has another number.
    if (!global && !isUserKey(key) && this.#localCount++ < maxLogged) this.#local[this.#localCount - 1] = slot;
  }

  /** A tag of 0 matches nothing: block keys are never 0. */
  flushAll(): void {
    this.#moveOn();
    this.#words.fill(0, firstWord, firstWord + wordCount);
    this.#spaceUsed.fill(0);
    this.#localCount = 0;
  }

  /** Whatever is not global and no user's. */
  flushSupervisor(): void {
    if (this.#localCount === 0) return;
    this.#moveOn();
    if (this.#localCount > maxLogged) {
      for (let slot = 0; slot < codeTlb.entries; slot++) this.#dropLocal(slot);
    } else {
      for (let n = 0; n < this.#localCount; n++) this.#dropLocal(this.#local[n] as number);
    }
    this.#localCount = 0;
  }

  #dropLocal(slot: number): void {
    if (this.#global[slot] === 0) this.#words[firstWord + slot * words] = 0;
  }

  /** INVLPG, mostly of data: then nothing relies on it. In all address spaces, for the page may be global. */
  flushPage(linear: number): void {
    let relied = this.#evicted.has(pageOf(linear));
    for (let mixed = 0; mixed <= codeTlbMix.mask; mixed += codeTlbMix.step) {
      const word = firstWord + ((pageOf(linear) & (codeTlb.entries - 1)) ^ mixed) * words;
      if (this.#pageAt(word) !== pageOf(linear)) continue;
      this.#words[word] = 0;
      relied = true;
    }
    if (relied) this.#moveOn();
  }

  /** The number of the page that the entry at `word` is for, if there is one. */
  #pageAt(word: number): number | undefined {
    const low = this.#words[word] as number;
    return low === 0 ? undefined : (this.#words[word + 1] as number) * pagesOf4G + (low >>> 12);
  }

  /** What was found by way of an entry is still relied on when another one takes its place. */
  #noteEviction(word: number, linear: number): void {
    const page = this.#pageAt(word);
    if (page !== undefined && page !== pageOf(linear)) this.#evicted.add(page);
    if (this.#evicted.size > maxLogged) this.#moveOn();
  }

  #moveOn(): void {
    moveMappingOn(this.#words);
    this.#evicted.clear();
  }
}
