/** What is decoded of one page of RAM: by decoding mode and page offset, and what branches in it wait for or lead to. */
import { pageSize } from '../../memory/guest-memory.ts';
import { maxInstructionLength } from '../decode/state.ts';
import { chunkBytes, type RecordIndex } from './record-index.ts';

/** Enough for a page of nothing but calls, and a bound on one that rewrites itself for ever. */
const maxOutgoing = 1024;
/** Stale records of one place that are remembered; what rewrites itself forever is looked up anew in the end. */
const maxNamesakes = 8;

/** Keys are (mode index << 12 | page offset). */
export type CodeKey = number;
export const keyOf = (modeIndex: number, offset: number): CodeKey => (modeIndex << 12) | offset;
const offsetMask = pageSize - 1;

/** Mostly it is one, which needs no array. */
type Addresses = number | readonly number[];
const listOf = (addresses: Addresses | undefined): readonly number[] =>
  addresses === undefined ? [] : typeof addresses === 'number' ? [addresses] : addresses;

export class CodePage {
  readonly ramPage: number;
  readonly #index: RecordIndex;
  /** By mode: its page in the index; 0 for none. */
  readonly #pages: number[] = [];
  #live = 0;
  /** Branch records that wait for a target of the same key. */
  #waiting: Map<CodeKey, Addresses> | undefined;
  /** Stale records by key: what still links to them is sent on to the key's next record. */
  #stale: Map<CodeKey, Addresses> | undefined;
  /** Direct branches to other pages: keys, and targets counted from the page's first byte. */
  readonly outgoingKeys: CodeKey[] = [];
  readonly outgoingTargets: number[] = [];

  constructor(ramPage: number, index: RecordIndex) {
    this.ramPage = ramPage;
    this.#index = index;
  }

  get isEmpty(): boolean {
    return this.#live === 0;
  }

  /** It is not used any more. */
  close(): void {
    for (const page of this.#pages) if (page !== 0) this.#index.close(page);
    this.#pages.length = 0;
  }

  /** The record of `key`; 0 if there is none. */
  get(key: CodeKey): number {
    const page = this.#pages[key >> 12] ?? 0;
    return page === 0 ? 0 : this.#index.get(page, key & offsetMask);
  }

  /** Whether any instruction has bytes in a chunk. */
  touches(chunk: number): boolean {
    const start = chunk * chunkBytes;
    for (const [mode, page] of this.#pages.entries()) {
      if (page === 0) continue;
      if (this.#index.beginsIn(page, chunk)) return true;
      let reaches = false;
      this.visit(mode, Math.max(start - maxInstructionLength + 1, 0), start - 1, (offset, _address, length) => {
        reaches ||= offset + length > start;
      });
      if (reaches) return true;
    }
    return false;
  }

  /** Enters a record where there is none. */
  set(key: CodeKey, address: number): void {
    const mode = key >> 12;
    while (this.#pages.length <= mode) this.#pages.push(0);
    if (this.#pages[mode] === 0) this.#pages[mode] = this.#index.open();
    this.#index.add(this.#pages[mode] as number, key & offsetMask, address);
    this.#live++;
  }

  /** Gives up the record of `key`: it is stale now. @returns all the stale records of that place, itself included */
  retire(key: CodeKey): readonly number[] {
    const address = this.get(key);
    this.#index.remove(this.#pages[key >> 12] as number, key & offsetMask);
    this.#live--;
    this.#stale ??= new Map();
    const before = listOf(this.#stale.get(key));
    const all = [...before, address];
    if (before.length === 0) this.#stale.set(key, address);
    else if (before.length < maxNamesakes) this.#stale.set(key, all);
    return all;
  }

  /** Stale records of a place that has a new one. */
  staleOf(key: CodeKey): readonly number[] {
    return listOf(this.#stale?.get(key));
  }

  /** Calls `visit` for each record of a mode among page offsets `first`…`last`; `length` is that of its instruction. */
  visit(
    modeIndex: number,
    first: number,
    last: number,
    visit: (offset: number, address: number, length: number) => void,
  ): void {
    const page = this.#pages[modeIndex] ?? 0;
    if (page === 0) return;
    this.#index.visit(page, first, last, (offset, address) => visit(offset, address, this.#index.lengthOf(address)));
  }

  /** As many decoding modes as the page was met in. */
  get modes(): number {
    return this.#pages.length;
  }

  /** A branch waits for a record of `key`. */
  wait(key: CodeKey, branch: number): void {
    this.#waiting ??= new Map();
    const waiting = this.#waiting.get(key);
    this.#waiting.set(key, waiting === undefined ? branch : [...listOf(waiting), branch]);
  }

  /** Who waits for a record of `key`, for the last time. */
  takeWaiting(key: CodeKey): readonly number[] {
    const waiting = this.#waiting?.get(key);
    if (waiting === undefined) return [];
    this.#waiting?.delete(key);
    return listOf(waiting);
  }

  /** A direct branch leaves the page. */
  leads(key: CodeKey, target: number): void {
    if (this.outgoingKeys.length >= maxOutgoing) return;
    this.outgoingKeys.push(key);
    this.outgoingTargets.push(target);
  }
}
