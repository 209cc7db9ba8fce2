/**
 * Which record each byte offset of a page has: for each chunk of 64 offsets a bitmap, and the records' addresses close
 * together. All pages share one array, for one of each page's own would cost more than what is in it; it lies in the vCPU's memory,
 * where it grows without being copied.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import { maxInstructionLength } from '../decode/state.ts';
import { recordIndex } from '../state/layout.ts';
import { record } from './record.ts';

/** Decoded and translated code is dropped in chunks, so that data beside code does not throw the code away. */
export const chunkBytes = 64;
const chunkBits = 6;
export const chunksOfPage = pageSize / chunkBytes;

/** The chunks of a page that `bytes` from a page offset on lie in. */
export const chunksOf = (offset: number, bytes: number): readonly [first: number, last: number] => [
  (offset / chunkBytes) | 0,
  ((offset + bytes - 1) / chunkBytes) | 0,
];

/** Addresses that chunks have room for. What a page knows of a chunk: the place of its words, and in the lowest bits which of these. */
const rooms = [4, 8, 12, 16, 24, 32, 48, 64] as const;
const roomBits = 3;
const bitmapWords = 2;
const wordBits = 32;
/** As many words as what is decoded at once may come to take: each record, room for a chunk of its own. */
const mostAtOnce = 1 << 13;

/** Bits that are set in a word. */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

export class RecordIndex {
  readonly #view: DataView;
  readonly #words: Int32Array;
  /** 0 is no place. */
  #next = 1;
  /** Places of words that are not in use, by room. */
  readonly #free: number[][] = rooms.map(() => []);
  readonly #freePages: number[] = [];

  /** @param view the memory that the records are in; @param words what it may take for itself */
  constructor(view: DataView, words = new Int32Array(view.buffer, recordIndex.base, recordIndex.bytes / 4)) {
    this.#view = view;
    this.#words = words;
  }

  /** Whether a block that is decoded finds room. */
  get hasRoom(): boolean {
    return this.#next + mostAtOnce <= this.#words.length;
  }

  /** Bytes of the memory that it has not taken: from, to. */
  get unused(): readonly [number, number] {
    const { byteOffset, byteLength } = this.#words;
    return [byteOffset + this.#next * 4, byteOffset + byteLength];
  }

  /** Bytes that a record was decoded from; what is no instruction was found to be none by as many as one may have. */
  lengthOf(address: number): number {
    return this.#view.getUint8(address + record.length) || maxInstructionLength;
  }

  /** @returns the number of a page without records */
  open(): number {
    const page = this.#freePages.pop() ?? this.#reserve(chunksOfPage);
    this.#words.fill(0, page, page + chunksOfPage);
    return page;
  }

  /** A page that is needed no more. */
  close(page: number): void {
    for (let chunk = 0; chunk < chunksOfPage; chunk++) this.#giveBack(this.#words[page + chunk] as number);
    this.#freePages.push(page);
  }

  /** The record at an offset of a page; 0 if there is none. */
  get(page: number, offset: number): number {
    const words = this.#words;
    const at = (words[page + (offset >> chunkBits)] as number) >>> roomBits;
    return at === 0 || !this.#has(at, offset) ? 0 : (words[at + bitmapWords + this.#rank(at, offset)] as number);
  }

  /** Enters a record where there is none. */
  add(page: number, offset: number, address: number): void {
    const chunk = page + (offset >> chunkBits);
    const count = this.#count(chunk);
    this.#makeRoom(chunk, count);
    const words = this.#words;
    const at = (words[chunk] as number) >>> roomBits;
    const first = at + bitmapWords;
    const place = first + this.#rank(at, offset);
    // Mostly it is the last: no call for a few words.
    for (let n = first + count; n > place; n--) words[n] = words[n - 1] as number;
    words[place] = address;
    this.#flip(at, offset);
  }

  /** Takes the record at an offset, where there is one, out. */
  remove(page: number, offset: number): void {
    const words = this.#words;
    const chunk = page + (offset >> chunkBits);
    const at = (words[chunk] as number) >>> roomBits;
    const first = at + bitmapWords;
    const count = this.#count(chunk);
    const place = first + this.#rank(at, offset);
    for (let n = place + 1; n < first + count; n++) words[n - 1] = words[n] as number;
    this.#flip(at, offset);
    if (count > 1) return;
    this.#giveBack(words[chunk] as number);
    words[chunk] = 0;
  }

  /** Whether any record begins in a chunk of a page. */
  beginsIn(page: number, chunk: number): boolean {
    return this.#words[page + chunk] !== 0;
  }

  /** Calls `visit` for the records at offsets `first`…`last`, in their order; it may take out the one that it is given. */
  visit(page: number, first: number, last: number, visit: (offset: number, address: number) => void): void {
    for (let start = first & -wordBits; start <= last; start += wordBits) {
      const at = (this.#words[page + (start >> chunkBits)] as number) >>> roomBits;
      if (at === 0) continue;
      let left = this.#words[at + ((start >> 5) & 1)] as number;
      if (start < first) left &= -1 << (first - start);
      if (last - start < wordBits - 1) left &= (2 << (last - start)) - 1;
      while (left !== 0) {
        const offset = start + wordBits - 1 - Math.clz32(left & -left);
        left &= left - 1;
        visit(offset, this.#words[at + bitmapWords + this.#rank(at, offset)] as number);
      }
    }
  }

  #has(at: number, offset: number): boolean {
    return ((this.#words[at + ((offset >> 5) & 1)] as number) & (1 << (offset & 31))) !== 0;
  }

  #flip(at: number, offset: number): void {
    const word = at + ((offset >> 5) & 1);
    this.#words[word] = (this.#words[word] as number) ^ (1 << (offset & 31));
  }

  /** How many records of the chunk come before an offset. */
  #rank(at: number, offset: number): number {
    const low = this.#words[at] as number;
    const before = (1 << (offset & 31)) - 1;
    if ((offset & 32) === 0) return ones(low & before);
    return ones(low) + ones((this.#words[at + 1] as number) & before);
  }

  #count(chunk: number): number {
    const at = (this.#words[chunk] as number) >>> roomBits;
    return at === 0 ? 0 : ones(this.#words[at] as number) + ones(this.#words[at + 1] as number);
  }

  /** Sees to it that a chunk with `count` records has room for one more. */
  #makeRoom(chunk: number, count: number): void {
    const old = this.#words[chunk] as number;
    const room = old === 0 ? 0 : (rooms[old & ((1 << roomBits) - 1)] as number);
    if (count < room) return;
    const next = rooms.findIndex((each) => each > count);
    const size = bitmapWords + (rooms[next] as number);
    const at = this.#free[next]?.pop() ?? this.#reserve(size);
    const from = old >>> roomBits;
    if (old === 0) this.#words.fill(0, at, at + bitmapWords);
    else for (let n = 0; n < bitmapWords + count; n++) this.#words[at + n] = this.#words[from + n] as number;
    this.#giveBack(old);
    this.#words[chunk] = (at << roomBits) | next;
  }

  #giveBack(old: number): void {
    if (old !== 0) this.#free[old & ((1 << roomBits) - 1)]?.push(old >>> roomBits);
  }

  #reserve(size: number): number {
    const at = this.#next;
    this.#next += size;
    return at;
  }
}
