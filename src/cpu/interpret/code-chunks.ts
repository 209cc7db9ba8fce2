/**
 * Where in RAM this processor has decoded or translated code, for WebAssembly to see, that of other processors, too: a write beside code
 * concerns nobody. A bit for each chunk. Too much may be held to be code, until it is written to; never too little. Code is held before
 * its bytes are read: who has written to it then either sees that, or is seen.
 */
import { chunkBytes, chunksOfPage } from './record-index.ts';

const wordBits = 32;
const wordsOfPage = chunksOfPage / wordBits;

export class CodeChunks {
  readonly #words: Int32Array;

  /** @param words see `PageUsers.codeChunks` */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** A page of RAM has no code yet. */
  clear(ramPage: number): void {
    this.#setPage(ramPage, 0);
  }

  /** All of a page of RAM is going to be read. */
  holdPage(ramPage: number): void {
    this.#setPage(ramPage, -1);
  }

  /** Bytes from `ramOffset` on are going to be read: as many as an instruction may have, or fewer. */
  hold(ramOffset: number, bytes: number): void {
    const first = Math.floor(ramOffset / chunkBytes);
    const last = Math.floor((ramOffset + bytes - 1) / chunkBytes);
    this.#hold(first);
    if (last !== first) this.#hold(last);
  }

  /** All code in a chunk is gone. @param chunk its number in RAM */
  release(chunk: number): void {
    Atomics.and(this.#words, Math.floor(chunk / wordBits), ~(1 << (chunk % wordBits)));
  }

  #setPage(ramPage: number, word: number): void {
    for (let n = 0; n < wordsOfPage; n++) Atomics.store(this.#words, ramPage * wordsOfPage + n, word);
  }

  #hold(chunk: number): void {
    const word = Math.floor(chunk / wordBits);
    const bit = 1 << (chunk % wordBits);
    if (((this.#words[word] as number) & bit) === 0) Atomics.or(this.#words, word, bit);
  }
}
