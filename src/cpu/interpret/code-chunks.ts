/**
 * Where in RAM this processor has decoded or translated code, for WebAssembly to see: a write beside code concerns nobody. A bit for
 * each chunk. Too much may be held to be code, until it is written to; never too little.
 */
import { codeChunks } from '../state/layout.ts';
import { chunkBytes, chunksOfPage } from './record-index.ts';

const wordBits = 32;
const wordsOfPage = chunksOfPage / wordBits;

export class CodeChunks {
  readonly #words: Int32Array;

  constructor(buffer: ArrayBufferLike) {
    this.#words = new Int32Array(buffer, codeChunks.base, codeChunks.bytes / 4);
  }

  /** A page of RAM has no code yet. */
  clear(ramPage: number): void {
    this.#words.fill(0, ramPage * wordsOfPage, (ramPage + 1) * wordsOfPage);
  }

  /** All of a page of RAM has code. */
  holdPage(ramPage: number): void {
    this.#words.fill(-1, ramPage * wordsOfPage, (ramPage + 1) * wordsOfPage);
  }

  /** An instruction lies at `ramOffset`. */
  holdBytes(ramOffset: number, bytes: number): void {
    const first = Math.floor(ramOffset / chunkBytes);
    const last = Math.floor((ramOffset + bytes - 1) / chunkBytes);
    this.#hold(first);
    if (last !== first) this.#hold(last);
  }

  /** All code in a chunk is gone. @param chunk its number in RAM */
  release(chunk: number): void {
    const word = Math.floor(chunk / wordBits);
    this.#words[word] = (this.#words[word] as number) & ~(1 << (chunk % wordBits));
  }

  #hold(chunk: number): void {
    const word = Math.floor(chunk / wordBits);
    this.#words[word] = (this.#words[word] as number) | (1 << (chunk % wordBits));
  }
}
