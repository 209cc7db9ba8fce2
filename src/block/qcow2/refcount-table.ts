/** The first level of the refcounts: where the blocks lie. */
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { getU64, type Header, setU64, viewOf } from './header.ts';

export interface NewBlocks {
  /** Index of the first new entry. */
  readonly first: number;
  readonly blocks: number;
  /** Cluster of the first new block; the others follow it. */
  readonly place: number;
  /** Clusters of the table itself, if it has to move. */
  readonly tableClusters: number;
}

export class RefcountTable {
  #offset: number;
  #clusters: number;
  #entries: Float64Array;
  #used: number;

  constructor(offset: number, clusters: number, entries: Float64Array) {
    this.#offset = offset;
    this.#clusters = clusters;
    this.#entries = entries;
    this.#used = entries.length;
    while (this.#used > 0 && entries[this.#used - 1] === 0) this.#used--;
  }

  static async load(file: BlockFile, header: Header): Promise<Result<RefcountTable, DiskFailure>> {
    const { refcountTableOffset, refcountTableClusters, clusterBits } = header;
    const bytes = new Uint8Array(refcountTableClusters * 2 ** clusterBits);
    const read = await file.read(refcountTableOffset, bytes);
    if (!read.ok) return read;
    const view = viewOf(bytes);
    const entries = Float64Array.from({ length: bytes.length / 8 }, (_, index) => getU64(view, index * 8));
    return ok(new RefcountTable(refcountTableOffset, refcountTableClusters, entries));
  }

  get offset(): number {
    return this.#offset;
  }

  get clusters(): number {
    return this.#clusters;
  }

  /** How many entries there is room for. */
  get entries(): number {
    return this.#entries.length;
  }

  /** Behind the last entry that names a block. */
  get usedEntries(): number {
    return this.#used;
  }

  /** 0 where there is none. It may be any number in a damaged image. */
  blockOffset(index: number): number {
    return this.#entries[index] ?? 0;
  }

  extend({ first, blocks, place }: NewBlocks, clusterBytes: number): void {
    for (let i = 0; i < blocks; i++) this.#entries[first + i] = (place + i) * clusterBytes;
    this.#used = Math.max(this.#used, first + blocks);
  }

  /** A larger one at another place, with the new blocks. */
  moved(offset: number, added: NewBlocks, clusterBytes: number): RefcountTable {
    const entries = new Float64Array((added.tableClusters * clusterBytes) / 8);
    entries.set(this.#entries.subarray(0, this.#used));
    const table = new RefcountTable(offset, added.tableClusters, entries);
    table.extend(added, clusterBytes);
    return table;
  }

  become(other: RefcountTable): void {
    this.#offset = other.#offset;
    this.#clusters = other.#clusters;
    this.#entries = other.#entries;
    this.#used = other.#used;
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#entries.length * 8);
    const view = viewOf(bytes);
    this.#entries.forEach((entry, index) => {
      if (entry !== 0) setU64(view, index * 8, entry);
    });
    return bytes;
  }
}
