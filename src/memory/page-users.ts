/**
 * What processors do with each page of RAM that others have to know: who may write to it without being seen (by a TLB
 * entry), and who holds code that was decoded from it. One word a page, so that both are seen at once: whoever claims
 * one use learns who has the other. Where in the page code lies, each processor tells by a bit for each chunk of 64 bytes.
 */
import { type WasmMemory, webAssembly } from '../wasm/webassembly.ts';

/** As many as a word has bits for. */
export const maxProcessors = 16;

const pageBytes = 4096;
const wasmPage = 1 << 16;
const mostPages = 2 ** 32 / pageBytes;
const wordBytes = 4;
const pageShift = 3;

/**
 * In a page's word a bit for each processor that holds code of it (`coders`), and for each that writes to it. The chunks of a processor
 * are found `chunks` bytes from the memory's beginning on, 64 bits a page.
 */
export const pageUsers = {
  coders: 0xffff,
  writerShift: 16,
  chunks: mostPages * wordBytes,
  pageShift,
  processorShift: Math.log2(mostPages) + pageShift,
} as const;
const { coders: codersMask, writerShift } = pageUsers;
const chunkBytesOf = (pages: number): number => pages << pageShift;

const sizeFor = (pages: number, processors: number): number =>
  Math.ceil((pageUsers.chunks + chunkBytesOf(mostPages) * (processors - 1) + chunkBytesOf(pages)) / wasmPage);

/** Pages of WebAssembly that it takes at most. */
export const maxPageUsersPages = sizeFor(mostPages, maxProcessors);

/** A memory that emitted code can read. Most of it is address space that nobody touches. */
export function allocatePageUsers(ramBytes: number, processors = maxProcessors): WasmMemory {
  const pages = sizeFor(Math.ceil(ramBytes / pageBytes), processors);
  return new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** One processor's view. Pages are numbered in RAM. */
export class PageUsers {
  readonly memory: WasmMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #coder: number;
  readonly #writer: number;
  /** Chunks in which this processor may have code: two words a page. Nobody else changes them. */
  readonly codeChunks: Int32Array<SharedArrayBuffer>;

  /** @param processor its number; -1 for a thread that is none */
  constructor(memory: WasmMemory, processor: number) {
    this.memory = memory;
    const { buffer } = memory;
    this.#words = new Int32Array(buffer, 0, mostPages);
    const chunks = pageUsers.chunks + (Math.max(processor, 0) << pageUsers.processorShift);
    const bytes = Math.min(buffer.byteLength - chunks, chunkBytesOf(mostPages));
    this.codeChunks = new Int32Array(buffer, chunks, processor < 0 ? 0 : bytes / wordBytes);
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

  /** This processor writes to none of the first `pages` unseen. */
  releaseAllWrites(pages: number): void {
    for (let page = 0; page < pages; page++) {
      if (((this.#words[page] as number) & this.#writer) !== 0) Atomics.and(this.#words, page, ~this.#writer);
    }
  }

  /** It no longer does. @returns whether it did, as far as anybody knows */
  releaseWrite(page: number): boolean {
    return (Atomics.and(this.#words, page, ~this.#writer) & this.#writer) !== 0;
  }
}
