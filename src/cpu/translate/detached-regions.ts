/** Regions that lockstep runs call themselves, by the RAM offset of the entry; and entries that nothing comes of. */
import type { RegionPages } from './job.ts';

/** A region as a function: (record, reference) → status. */
export type RegionFunction = (record: number, reference: number) => number;

export interface DetachedRegion {
  readonly run: RegionFunction;
  readonly pages: RegionPages;
}

/** Each has a module of its own in the end, of some 60 KB. */
const maxEntries = 4096;

export class DetachedRegions {
  /** Whether there were more than fit. */
  overflowed = false;
  readonly #byEntry = new Map<number, DetachedRegion | undefined>();
  /** By chunk of RAM: entries of regions with instructions there. */
  readonly #byChunk = new Map<number, Set<number>>();

  has(ramOffset: number): boolean {
    return this.#byEntry.has(ramOffset);
  }

  get(ramOffset: number): DetachedRegion | undefined {
    return this.#byEntry.get(ramOffset);
  }

  /** @param chunks RAM offsets / `chunkBytes` of what it was made of, or was refused for */
  set(ramOffset: number, region: DetachedRegion | undefined, chunks: readonly number[]): void {
    if (this.#byEntry.size >= maxEntries) {
      this.clear();
      this.overflowed = true;
    }
    this.#byEntry.set(ramOffset, region);
    for (const chunk of chunks) {
      const entries = this.#byChunk.get(chunk);
      if (entries === undefined) this.#byChunk.set(chunk, new Set([ramOffset]));
      else entries.add(ramOffset);
    }
  }

  /** Whether any of them depends on the bytes of a chunk. */
  touches(chunk: number): boolean {
    return this.#byChunk.has(chunk);
  }

  /** Forgets what the bytes of a chunk were part of. */
  drop(chunk: number): void {
    for (const ramOffset of this.#byChunk.get(chunk) ?? []) this.#byEntry.delete(ramOffset);
    this.#byChunk.delete(chunk);
  }

  clear(): void {
    this.#byEntry.clear();
    this.#byChunk.clear();
  }
}
