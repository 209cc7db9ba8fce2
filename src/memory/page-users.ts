/**
 * What processors do with each page of RAM that others have to know: who may write to it without being seen (by a TLB
 * entry), and who holds code that was decoded from it. One word a page, so that both are seen at once: whoever claims
 * one use learns who has the other.
 */
import { type WasmMemory, webAssembly } from '../wasm/webassembly.ts';

/** As many as a word has bits for. */
export const maxProcessors = 16;

const pageBytes = 4096;
/** A bit for each processor that holds code of the page, and for each that writes to it. */
export const pageUsers = { coders: 0xffff, writerShift: 16 } as const;
const { coders: codersMask, writerShift } = pageUsers;

const wordBytes = 4;
const wasmPage = 1 << 16;
/** Pages of WebAssembly that the words of 4 GiB take. */
export const maxPageUsersPages = (2 ** 32 / pageBytes) * (wordBytes / wasmPage);

/** A memory that emitted code can read. */
export function allocatePageUsers(ramBytes: number): WasmMemory {
  const pages = Math.ceil(((ramBytes / pageBytes) * wordBytes) / wasmPage);
  return new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** One processor's view. Pages are numbered in RAM. */
export class PageUsers {
  readonly memory: WasmMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #coder: number;
  readonly #writer: number;

  /** @param processor its number; -1 for a thread that is none */
  constructor(memory: WasmMemory, processor: number) {
    this.memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#coder = processor < 0 ? 0 : 1 << processor;
    this.#writer = this.#coder << writerShift;
  }

  /** The bit of a page's word that says that this processor is known to write to it. */
  get writerBit(): number {
    return this.#writer;
  }

  /** Whether anybody holds code of the page. */
  holdsCode(page: number): boolean {
    return (Atomics.load(this.#words, page) & codersMask) !== 0;
  }

  /**
   * The other processors that hold code of the page, a bit each, after this one has written to it. A read-modify-write as
   * `claimCode` is: the claim is seen here, or what was written is seen there.
   */
  otherCoders(page: number): number {
    return Atomics.or(this.#words, page, 0) & codersMask & ~this.#coder;
  }

  /** This processor is about to read code from the page. @returns who else may be writing to it: a bit each */
  claimCode(page: number): number {
    const before = Atomics.or(this.#words, page, this.#coder);
    return ((before & ~this.#writer) >>> writerShift) & 0xffff;
  }

  /** It has forgotten all code of the page. */
  releaseCode(page: number): void {
    Atomics.and(this.#words, page, ~this.#coder);
  }

  /** This processor wants to write to the page unseen. @returns whether it may: nobody holds code of it */
  claimWrite(page: number): boolean {
    const word = this.#words[page] as number;
    if ((word & codersMask) !== 0) return false;
    const before =
      (word & this.#writer) === this.#writer
        ? Atomics.load(this.#words, page)
        : Atomics.or(this.#words, page, this.#writer);
    return (before & codersMask) === 0;
  }

  /** Whether another processor may be writing to the page. */
  writes(page: number, processor: number): boolean {
    return (Atomics.load(this.#words, page) & (1 << (processor + writerShift))) !== 0;
  }

  /** This processor writes to no page unseen. */
  releaseAllWrites(): void {
    for (let page = 0; page < this.#words.length; page++) {
      if (((this.#words[page] as number) & this.#writer) !== 0) Atomics.and(this.#words, page, ~this.#writer);
    }
  }

  /** It no longer does. @returns whether it did, as far as anybody knows */
  releaseWrite(page: number): boolean {
    return (Atomics.and(this.#words, page, ~this.#writer) & this.#writer) !== 0;
  }
}
