/**
 * A window of a byte stream: bytes are named by their offset from the stream's begin, and lie in a ring from `start`
 * on. Memory is taken when bytes come, up to `limit`; the limit of a stream that carries much is raised as long as
 * `budget` lasts.
 */
import type { MemoryBudget } from './memory-budget.ts';

const smallestCapacity = 4096;
/** A stream that has carried so many times its limit gets twice the limit. */
const busyFactor = 4;

export interface RingLimits {
  readonly initialBytes: number;
  readonly maxBytes: number;
}

export class StreamRing {
  /** The oldest byte that is kept. */
  start = 0;
  /** How many bytes may be kept. */
  limit: number;
  #bytes = new Uint8Array(0);
  /** Beyond the last byte that was stored. */
  #top = 0;
  readonly #limits: RingLimits;
  readonly #budget: MemoryBudget;

  /** @param limits powers of two */
  constructor(limits: RingLimits, budget: MemoryBudget) {
    this.limit = limits.initialBytes;
    this.#limits = limits;
    this.#budget = budget;
  }

  /** Stores `source[from..to)` at `offset`; the caller sees to it that all of it lies in `start..start + limit`. */
  store(offset: number, source: Uint8Array, from: number, to: number): void {
    const end = offset + to - from;
    this.#reserve(end - this.start);
    const mask = this.#bytes.length - 1;
    const at = offset & mask;
    const first = Math.min(to - from, this.#bytes.length - at);
    this.#bytes.set(source.subarray(from, from + first), at);
    if (from + first < to) this.#bytes.set(source.subarray(from + first, to), 0);
    this.#top = Math.max(this.#top, end);
  }

  /** Copies `length` bytes from `offset` to `target[at..]`. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    const first = this.view(offset, length);
    target.set(first, at);
    if (first.length < length) target.set(this.view(offset + first.length, length - first.length), at + first.length);
  }

  /** The bytes from `offset` on that lie in one piece, at most `length`. Valid until they are released. */
  view(offset: number, length: number): Uint8Array {
    const at = offset & (this.#bytes.length - 1);
    return this.#bytes.subarray(at, Math.min(at + length, this.#bytes.length));
  }

  /** Forgets what lies before `offset`. */
  release(offset: number): void {
    this.start = offset;
    if (offset > this.limit * busyFactor && this.limit < this.#limits.maxBytes && this.#budget.take(this.limit)) {
      this.limit *= 2;
    }
  }

  /** Gives all memory back. */
  close(): void {
    this.#budget.give(this.limit - this.#limits.initialBytes);
    this.limit = this.#limits.initialBytes;
    this.#bytes = new Uint8Array(0);
    this.#top = this.start;
  }

  #reserve(needed: number): void {
    if (needed <= this.#bytes.length) return;
    let capacity = Math.max(smallestCapacity, this.#bytes.length);
    while (capacity < needed) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    for (let offset = this.start; offset < this.#top; ) {
      const piece = this.view(offset, this.#top - offset);
      const at = offset & (capacity - 1);
      const count = Math.min(piece.length, capacity - at);
      bytes.set(piece.subarray(0, count), at);
      offset += count;
    }
    this.#bytes = bytes;
  }
}
