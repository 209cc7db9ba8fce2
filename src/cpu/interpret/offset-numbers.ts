/** A number for each byte offset in a page, most of them 0: stored by blocks of 64 offsets that have any. */
import { pageSize } from '../../memory/guest-memory.ts';

const blockBits = 6;
const blockSize = 1 << blockBits;
const blocksOfPage = pageSize >> blockBits;
const firstBlocks = 4;
/** Blocks that there is room for when more are needed. */
const grown = (blocks: number): number => Math.min(blocksOfPage, blocks + Math.max(firstBlocks, blocks >> 1));

export class OffsetNumbers {
  /** By block of the page: the place of its numbers among all, from 1 on; 0 for none. */
  readonly #places = new Uint8Array(blocksOfPage);
  #numbers = new Uint16Array(firstBlocks * blockSize);
  #blocks = 0;

  get(offset: number): number {
    const place = this.#places[offset >> blockBits] as number;
    return place === 0 ? 0 : (this.#numbers[((place - 1) << blockBits) | (offset & (blockSize - 1))] as number);
  }

  set(offset: number, number: number): void {
    let place = this.#places[offset >> blockBits] as number;
    if (place === 0) {
      place = this.#addBlock();
      this.#places[offset >> blockBits] = place;
    }
    this.#numbers[((place - 1) << blockBits) | (offset & (blockSize - 1))] = number;
  }

  #addBlock(): number {
    const room = this.#numbers.length >> blockBits;
    if (this.#blocks === room) {
      const more = new Uint16Array(grown(room) << blockBits);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    return ++this.#blocks;
  }

  /** Calls `visit` for each number that is not 0 at offsets `first`…`last`. */
  visit(first: number, last: number, visit: (offset: number, number: number) => void): void {
    for (let block = first >> blockBits; block <= last >> blockBits; block++) {
      const place = this.#places[block] as number;
      if (place === 0) continue;
      const base = (place - 1) << blockBits;
      const end = Math.min(blockSize - 1, last - (block << blockBits));
      for (let within = Math.max(0, first - (block << blockBits)); within <= end; within++) {
        const number = this.#numbers[base | within] as number;
        if (number !== 0) visit((block << blockBits) | within, number);
      }
    }
  }
}
