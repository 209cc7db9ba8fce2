/** `struct iovec`s for the calls of the C library that read and write many places at once. Source: readv(2). */
import { type Bytes, ScatteredBytes } from '../../../support/scattered-bytes.ts';
import type { loadForeignFunctions } from '../foreign-functions.ts';

type ForeignFunctions = NonNullable<ReturnType<typeof loadForeignFunctions>>;

/** IOV_MAX of Linux. */
const mostVectors = 1024;
/** Of a vector, in words of 32 bits: place and length have two each. */
const vectorWords = 4;

/** The vectors of one call at a time. */
export class Vectors {
  /** What to hand to the call. */
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #ffi: ForeignFunctions;

  constructor(ffi: ForeignFunctions) {
    this.#ffi = ffi;
    this.#words = new Uint32Array(mostVectors * vectorWords);
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  /** Describes `target`, or its beginning if it has more places than a call takes. @returns how many vectors there are */
  describe(target: Bytes): number {
    if (!(target instanceof ScatteredBytes)) {
      this.#set(0, Number(this.#ffi.getRawPointer(target)), target.length);
      return 1;
    }
    const base = Number(this.#ffi.getRawPointer(target.memory));
    let count = 0;
    target.each((offset, length) => {
      if (count < mostVectors) this.#set(count++, base + offset, length);
    });
    return count;
  }

  /** Addresses of user space are exact as numbers: they have 47 bits, or 52 at most. */
  #set(index: number, address: number, length: number): void {
    const at = index * vectorWords;
    this.#words[at] = address % 2 ** 32;
    this.#words[at + 1] = address / 2 ** 32;
    this.#words[at + 2] = length % 2 ** 32;
    this.#words[at + 3] = length / 2 ** 32;
  }
}
