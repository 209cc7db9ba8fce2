/** What is decoded of one page of RAM: by decoding mode and page offset, and what branches in it wait for or lead to. */
import { pageSize } from '../../memory/guest-memory.ts';
import { OffsetNumbers } from './offset-numbers.ts';

/** Enough for a page of nothing but calls, and a bound on one that rewrites itself for ever. */
const maxOutgoing = 1024;
/** Stale records of one place that are remembered; what rewrites itself forever is looked up anew in the end. */
const maxNamesakes = 8;
const firstRecords = 64;
/** Decoded and translated code is dropped in chunks, so that data beside code does not throw the code away. */
export const chunkBytes = 64;
export const chunksOfPage = pageSize / chunkBytes;

/** The chunks of a page that `bytes` from a page offset on lie in. */
export const chunksOf = (offset: number, bytes: number): readonly [first: number, last: number] => [
  (offset / chunkBytes) | 0,
  ((offset + bytes - 1) / chunkBytes) | 0,
];

/** Keys are (mode index << 12 | page offset). */
export type CodeKey = number;
export const keyOf = (modeIndex: number, offset: number): CodeKey => (modeIndex << 12) | offset;
const offsetMask = pageSize - 1;

export class CodePage {
  readonly ramPage: number;
  /** By mode and offset: the number of its record; 0 for none. */
  readonly #numbers: (OffsetNumbers | undefined)[] = [];
  /** Addresses of records, by number from 1 on. */
  #records = new Int32Array(firstRecords);
  /** Bytes that a record's instruction takes, by number. */
  #lengths = new Uint8Array(firstRecords);
  /** Instructions with bytes in each chunk. */
  readonly #inChunk = new Uint16Array(chunksOfPage);
  #next = 1;
  readonly #free: number[] = [];
  #live = 0;
  /** Branch records that wait for a target of the same key. */
  #waiting: Map<CodeKey, number[]> | undefined;
  /** Stale records by key: what still links to them is sent on to the key's next record. */
  #stale: Map<CodeKey, number[]> | undefined;
  /** Direct branches to other pages: keys, and targets counted from the page's first byte. */
  readonly outgoingKeys: CodeKey[] = [];
  readonly outgoingTargets: number[] = [];

  constructor(ramPage: number) {
    this.ramPage = ramPage;
  }

  get isEmpty(): boolean {
    return this.#live === 0;
  }

  /** The record of `key`; 0 if there is none. */
  get(key: CodeKey): number {
    const numbers = this.#numbers[key >> 12];
    return numbers === undefined ? 0 : (this.#records[numbers.get(key & offsetMask)] as number);
  }

  /** Whether any instruction has bytes in a chunk. */
  touches(chunk: number): boolean {
    return this.#inChunk[chunk] !== 0;
  }

  #count(key: CodeKey, length: number, step: 1 | -1): void {
    const offset = key & offsetMask;
    const [first, last] = chunksOf(offset, Math.min(length, pageSize - offset));
    for (let chunk = first; chunk <= last; chunk++) this.#inChunk[chunk] = (this.#inChunk[chunk] as number) + step;
  }

  /** Enters a record where there is none. @param length bytes that it was decoded from */
  set(key: CodeKey, address: number, length: number): void {
    const mode = key >> 12;
    let numbers = this.#numbers[mode];
    if (numbers === undefined) {
      numbers = new OffsetNumbers();
      this.#numbers[mode] = numbers;
    }
    const number = this.#free.pop() ?? this.#next++;
    if (number >= this.#records.length) {
      const more = new Int32Array(this.#records.length + (this.#records.length >> 1));
      more.set(this.#records);
      this.#records = more;
      const longer = new Uint8Array(more.length);
      longer.set(this.#lengths);
      this.#lengths = longer;
    }
    numbers.set(key & offsetMask, number);
    this.#records[number] = address;
    this.#lengths[number] = length;
    this.#count(key, length, 1);
    this.#live++;
  }

  /** Gives up the record of `key`: it is stale now. @returns all the stale records of that place, itself included */
  retire(key: CodeKey): readonly number[] {
    const numbers = this.#numbers[key >> 12] as OffsetNumbers;
    const number = numbers.get(key & offsetMask);
    numbers.set(key & offsetMask, 0);
    this.#free.push(number);
    this.#count(key, this.#lengths[number] as number, -1);
    this.#live--;
    this.#stale ??= new Map();
    const before = this.#stale.get(key) ?? [];
    const all = [...before, this.#records[number] as number];
    if (before.length < maxNamesakes) this.#stale.set(key, all);
    return all;
  }

  /** Stale records of a place that has a new one. */
  staleOf(key: CodeKey): readonly number[] {
    return this.#stale?.get(key) ?? [];
  }

  /** Calls `visit` for each record of a mode among page offsets `first`…`last`. */
  visit(
    modeIndex: number,
    first: number,
    last: number,
    visit: (offset: number, address: number, length: number) => void,
  ): void {
    this.#numbers[modeIndex]?.visit(first, last, (offset, number) => {
      visit(offset, this.#records[number] as number, this.#lengths[number] as number);
    });
  }

  /** As many decoding modes as the page was met in. */
  get modes(): number {
    return this.#numbers.length;
  }

  /** A branch waits for a record of `key`. */
  wait(key: CodeKey, branch: number): void {
    this.#waiting ??= new Map();
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, [branch]);
    else waiting.push(branch);
  }

  /** Who waits for a record of `key`, for the last time. */
  takeWaiting(key: CodeKey): readonly number[] {
    const waiting = this.#waiting?.get(key);
    if (waiting === undefined) return [];
    this.#waiting?.delete(key);
    return waiting;
  }

  /** A direct branch leaves the page. */
  leads(key: CodeKey, target: number): void {
    if (this.outgoingKeys.length >= maxOutgoing) return;
    this.outgoingKeys.push(key);
    this.outgoingTargets.push(target);
  }
}
