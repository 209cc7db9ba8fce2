/** Bytes that lie in several places of one memory, described by numbers: a request may have hundreds of places. */

/** Bytes in one piece, or in many. */
export type Bytes = Uint8Array | ScatteredBytes;

/** Up to here, a loop is faster than a view of the place. */
const fewBytes = 32;

/** Others may change the memory at any time: what is looked at twice has to be copied first. */
export class ScatteredBytes {
  readonly memory: Uint8Array;
  /** Bytes in all. */
  readonly length: number;
  /** Offset into the memory and length, by turns. No length is 0. */
  readonly #places: readonly number[];
  /** Where these bytes begin: an index into `#places`, and what is left out of that place. */
  readonly #first: number;
  readonly #skip: number;

  /** Without the last three, all of `places`, which nobody changes any more and which lie within `memory`. */
  constructor(memory: Uint8Array, places: readonly number[], first = 0, skip = 0, length = sumOf(places)) {
    this.memory = memory;
    this.length = length;
    this.#places = places;
    this.#first = first;
    this.#skip = skip;
  }

  /** Calls `visit` with offset into the memory and length of each place, in order. */
  each(visit: (offset: number, length: number) => void): void {
    let skip = this.#skip;
    let rest = this.length;
    for (let at = this.#first; rest > 0; at += 2) {
      const length = Math.min((this.#places[at + 1] as number) - skip, rest);
      visit((this.#places[at] as number) + skip, length);
      skip = 0;
      rest -= length;
    }
  }

  /** The bytes from `start` to `end`, as far as there are such; as of arrays, but without negative numbers. */
  subarray(start: number, end: number = this.length): ScatteredBytes {
    const length = Math.max(0, Math.min(end, this.length) - start);
    let first = this.#first;
    let skip = this.#skip + start;
    // Nothing has no place to be in.
    while (length > 0 && skip >= (this.#places[first + 1] as number)) {
      skip -= this.#places[first + 1] as number;
      first += 2;
    }
    return new ScatteredBytes(this.memory, this.#places, first, skip, length);
  }

  /** Copies from `offset` on into `into`. @returns how many bytes there were to copy */
  read(offset: number, into: Uint8Array): number {
    const { memory } = this;
    let done = 0;
    this.subarray(offset, offset + into.length).each((from, length) => {
      if (length > fewBytes) into.set(memory.subarray(from, from + length), done);
      else for (let i = 0; i < length; i++) into[done + i] = memory[from + i] as number;
      done += length;
    });
    return done;
  }

  /** Copies `from` to `offset` on. @returns how many bytes had room */
  write(offset: number, from: Uint8Array): number {
    const { memory } = this;
    let done = 0;
    this.subarray(offset, offset + from.length).each((to, length) => {
      if (length > fewBytes) memory.set(from.subarray(done, done + length), to);
      else for (let i = 0; i < length; i++) memory[to + i] = from[done + i] as number;
      done += length;
    });
    return done;
  }

  /** A copy of `length` bytes from `offset` on; fewer where these bytes end. */
  copy(offset = 0, length = this.length): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    this.read(offset, bytes);
    return bytes;
  }

  fill(value: number, start = 0, end: number = this.length): void {
    this.subarray(start, end).each((offset, length) => {
      this.memory.fill(value, offset, offset + length);
    });
  }

  /** Views of the places, in order. */
  views(): Uint8Array[] {
    const views: Uint8Array[] = [];
    this.each((offset, length) => {
      views.push(this.memory.subarray(offset, offset + length));
    });
    return views;
  }
}

function sumOf(places: readonly number[]): number {
  let sum = 0;
  for (let at = 1; at < places.length; at += 2) sum += places[at] as number;
  return sum;
}

/** Copies all of `from` to `at` of `into`, which has room for it. */
export function copyBytes(from: Bytes, into: Uint8Array, at = 0): void {
  if (from instanceof ScatteredBytes) from.read(0, into.subarray(at));
  else into.set(from, at);
}

/** Copies `from` to the beginning of `into`, which has room for it. */
export function storeBytes(from: Uint8Array, into: Bytes): void {
  if (into instanceof ScatteredBytes) into.write(0, from);
  else into.set(from);
}
