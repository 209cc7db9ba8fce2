/**
 * A queue of bytes in shared memory with one writer and one reader, each on its own thread.
 * Head and tail count bytes modulo 2^32; their difference is what waits to be read.
 */
const headWord = 0;
const tailWord = 1;
const headerBytes = 8;

export class ByteRing {
  readonly #counters: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** @param capacity a power of two; the ring takes `ByteRing.size(capacity)` bytes at `offset`, a multiple of 4 */
  constructor(buffer: SharedArrayBuffer, offset: number, capacity: number) {
    this.#counters = new Int32Array(buffer, offset, 2);
    this.#bytes = new Uint8Array(buffer, offset + headerBytes, capacity);
  }

  static size(capacity: number): number {
    return headerBytes + capacity;
  }

  /** Bytes that wait to be read. */
  get length(): number {
    return (Atomics.load(this.#counters, tailWord) - Atomics.load(this.#counters, headWord)) >>> 0;
  }

  /** Appends as many of `bytes` as fit. @returns how many */
  write(bytes: Uint8Array): number {
    const capacity = this.#bytes.length;
    const tail = Atomics.load(this.#counters, tailWord);
    const count = Math.min(bytes.length, capacity - this.length);
    const at = tail & (capacity - 1);
    const first = Math.min(count, capacity - at);
    this.#bytes.set(bytes.subarray(0, first), at);
    this.#bytes.set(bytes.subarray(first, count), 0);
    Atomics.store(this.#counters, tailWord, tail + count);
    return count;
  }

  /** Takes out at most `max` bytes, as a copy. */
  read(max: number): Uint8Array {
    const capacity = this.#bytes.length;
    const head = Atomics.load(this.#counters, headWord);
    const count = Math.min(max, this.length);
    const at = head & (capacity - 1);
    const first = Math.min(count, capacity - at);
    const result = new Uint8Array(count);
    result.set(this.#bytes.subarray(at, at + first), 0);
    result.set(this.#bytes.subarray(0, count - first), first);
    Atomics.store(this.#counters, headWord, head + count);
    return result;
  }

  /** Takes out one byte. @returns the byte, or -1 when there is none */
  readByte(): number {
    const head = Atomics.load(this.#counters, headWord);
    if (head === Atomics.load(this.#counters, tailWord)) return -1;
    const byte = this.#bytes[head & (this.#bytes.length - 1)] as number;
    Atomics.store(this.#counters, headWord, head + 1);
    return byte;
  }
}
