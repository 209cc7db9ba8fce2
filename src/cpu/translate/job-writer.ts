/** Puts together what a translation is asked for: entries, the pages around them, and what the interpreter has met there. */
import type { CodeCache } from '../interpret/code-cache.ts';
import { pseudoHandler } from '../interpret/handler-keys.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { bitmapBytes, bitmapsBytes, modeIndexOf, type RegionWish, type TranslationJob, wishBits } from './job.ts';

/** A record with this handler has no code of its own any more, or has a region already. */
export const isOutdated = (handler: number): boolean =>
  handler === pseudoHandler.stale || handler === pseudoHandler.goto || handler === pseudoHandler.translated;

export class JobWriter {
  readonly #code: Pick<CodeCache, 'survey' | 'watches' | 'hold'>;
  readonly #long: boolean;
  readonly #replaced: ReadonlySet<number>;
  readonly #recordBytes: Uint8Array;
  readonly #recordWords: Uint16Array;
  /** Places of pages of RAM in the job. */
  readonly #places = new Map<number, number>();
  readonly #bitmaps: Uint8Array[] = [];
  readonly #regions: number[] = [];

  /**
   * @param vcpuMemory where the records are
   * @param replaced records with regions that are going to be replaced: they are as good as free
   */
  constructor(
    vcpuMemory: ArrayBufferLike,
    code: Pick<CodeCache, 'survey' | 'watches' | 'hold'>,
    long: boolean,
    replaced: ReadonlySet<number> = new Set(),
  ) {
    this.#replaced = replaced;
    this.#recordBytes = new Uint8Array(vcpuMemory);
    this.#recordWords = new Uint16Array(vcpuMemory);
    this.#code = code;
    this.#long = long;
  }

  get isEmpty(): boolean {
    return this.#regions.length === 0;
  }

  /**
   * @param pages RAM pages by distance from the entry's; what is not code any more is left out
   */
  add(ramOffset: number, pages: ReadonlyMap<number, number>, { leavesOnMiss, sharedOnly }: RegionWish): void {
    const held = [...pages].filter(([, ramPage]) => this.#code.watches(ramPage));
    const wish = (leavesOnMiss ? wishBits.leavesOnMiss : 0) | (sharedOnly ? wishBits.sharedOnly : 0);
    this.#regions.push(ramOffset, wish, held.length);
    for (const [distance, ramPage] of held) this.#regions.push(distance, this.#placeOf(ramPage));
  }

  finish(id: number): TranslationJob {
    const bitmaps = new Uint8Array(this.#bitmaps.length * bitmapsBytes);
    for (const [number, bitmap] of this.#bitmaps.entries()) bitmaps.set(bitmap, number * bitmapsBytes);
    const pages = Int32Array.from(this.#places.keys());
    return { id, long: this.#long, pages, bitmaps, regions: Int32Array.from(this.#regions) };
  }

  #placeOf(ramPage: number): number {
    const known = this.#places.get(ramPage);
    if (known !== undefined) return known;
    const place = this.#places.size;
    this.#places.set(ramPage, place);
    this.#code.hold(ramPage);
    this.#bitmaps.push(this.#survey(ramPage));
    return place;
  }

  /** The page's bitmaps, as `TranslationJob` has them. */
  #survey(ramPage: number): Uint8Array {
    const bytes = this.#recordBytes;
    const words = this.#recordWords;
    const found = new Uint8Array(bitmapsBytes);
    this.#code.survey(ramPage, modeIndexOf(this.#long), (offset, address) => {
      const at = offset >> 3;
      const bit = 1 << (offset & 7);
      const heat = bytes[address + record.heat] as number;
      found[at] = (found[at] as number) | bit;
      if (heat >= recordHeat.reached) found[at + bitmapBytes] = (found[at + bitmapBytes] as number) | bit;
      if (heat >= recordHeat.warm) found[at + 2 * bitmapBytes] = (found[at + 2 * bitmapBytes] as number) | bit;
      if (isOutdated(words[(address + record.handler) >> 1] as number) && !this.#replaced.has(address)) return;
      found[at + 3 * bitmapBytes] = (found[at + 3 * bitmapBytes] as number) | bit;
    });
    return found;
  }
}
