/** What is asked of whoever translates, and what comes back: plain data, for it may happen on another thread. */

import { pageSize } from '../../memory/guest-memory.ts';
import type { WasmModule } from '../../wasm/webassembly.ts';
import type { DecodeMode } from '../decode/instruction.ts';
import { modeBits } from '../state/block-key.ts';
import type { MadeRegions } from './made-regions.ts';

/** A page of code as it is when translation is asked for. Bitmaps have one bit per byte offset. */
export interface CodePage {
  readonly ramPage: number;
  readonly bytes: Uint8Array;
  /** Where the interpreter has met instructions. */
  readonly known: Uint8Array;
  /** Of these, where jumps have led more than once, and where they lead often. */
  readonly reached: Uint8Array;
  readonly warm: Uint8Array;
  /** Of these, where a region may begin: none does yet. */
  readonly free: Uint8Array;
}

/** How a region is wanted. */
export interface RegionWish {
  /**
   * Whether the region leaves at an access that the TLB does not have. Otherwise it stays, by a call of a slow path in its
   * place: more code, which takes the longer to compile for it, but good for regions that miss the TLB often.
   */
  readonly leavesOnMiss: boolean;
  /** Only one that was made for another processor is wanted: by itself the code is not worth one yet. */
  readonly sharedOnly: boolean;
}

export const wishBits = { leavesOnMiss: 1, sharedOnly: 2 } as const;

export interface RegionRequest extends RegionWish {
  /** 64-bit code; otherwise 32-bit code with flat segments. */
  readonly long: boolean;
  readonly ramOffset: number;
  /** Pages by their distance, in linear addresses, from the entry's, which is 0. */
  readonly pages: ReadonlyMap<number, CodePage>;
}

/** What is asked for, in few large pieces, which change hands between threads without being copied. */
export interface TranslationJob {
  readonly id: number;
  /** See `RegionRequest`. */
  readonly long: boolean;
  /** Pages of RAM, each once. Their bytes are read where the job is done: a job whose code was overwritten is void. */
  readonly pages: Int32Array<ArrayBuffer>;
  /** For each page its bitmaps `known`, `reached`, `warm` and `free`. */
  readonly bitmaps: Uint8Array<ArrayBuffer>;
  /** For each region RAM offset, `wishBits`, number of pages, and for each of those its distance and place in `pages`. */
  readonly regions: Int32Array<ArrayBuffer>;
}

/** The decoding mode of code that is translated, as the record cache has it. */
export const modeIndexOf = (long: boolean): number => (long ? modeBits.size64 : modeBits.flat32);

/** How code of a mode that is translated is decoded. */
export const decodeModeOf = (modeIndex: number): DecodeMode => ({
  codeSize: modeIndex === modeBits.size64 ? 64 : 32,
  real: false,
});

/** Jobs of a processor under way at a time. */
export const maxJobs = 2;

export const bitmapBytes = pageSize / 8;
export const bitmapsBytes = 4 * bitmapBytes;

/** Takes a job apart. @param ram guest RAM, of which the pages are copied: they must not change while they are looked at */
export function requestsOf({ long, pages, bitmaps, regions }: TranslationJob, ram: Uint8Array): RegionRequest[] {
  const found = Array.from(pages, (ramPage, number): CodePage => {
    const bitmap = (n: number): Uint8Array =>
      bitmaps.subarray(number * bitmapsBytes + n * bitmapBytes, number * bitmapsBytes + (n + 1) * bitmapBytes);
    const bytes = ram.slice(ramPage * pageSize, (ramPage + 1) * pageSize);
    return { ramPage, bytes, known: bitmap(0), reached: bitmap(1), warm: bitmap(2), free: bitmap(3) };
  });
  const requests: RegionRequest[] = [];
  for (let at = 0; at < regions.length; ) {
    const ramOffset = (regions[at++] as number) >>> 0;
    const wish = regions[at++] as number;
    const leavesOnMiss = (wish & wishBits.leavesOnMiss) !== 0;
    const sharedOnly = (wish & wishBits.sharedOnly) !== 0;
    const around = new Map<number, CodePage>();
    for (let count = regions[at++] as number; count > 0; count--) {
      const distance = regions[at++] as number;
      around.set(distance, found[regions[at++] as number] as CodePage);
    }
    requests.push({ long, leavesOnMiss, sharedOnly, ramOffset, pages: around });
  }
  return requests;
}

/** Pages of a region: their distances in pages, in linear addresses, from the first entry's, and RAM offsets. */
export type RegionPages = readonly (readonly [distance: number, ramOffset: number])[];

export interface RegionEntry {
  readonly ramOffset: number;
  /** Distance of its page from the first entry's. */
  readonly page: number;
  /** That of the page in which its first block ends: without those up to it the region cannot be entered there. */
  readonly lastPage: number;
}

export interface TranslatedRegion {
  /** Its module exports its function as r0, r1 …: the number. */
  readonly position: number;
  /** The first is the one that was asked for. */
  readonly entries: readonly RegionEntry[];
  readonly pages: RegionPages;
  /** RAM offsets / `chunkBytes` of what its instructions touch. */
  readonly chunks: readonly number[];
  readonly instructions: number;
}

/** Regions out of one module: all of it, or those of another processor's that this one wants, too. */
export interface TranslatedModule {
  readonly module: WasmModule;
  /** Of WebAssembly; 0 for a module that was there already. */
  readonly bytes: number;
  readonly regions: readonly TranslatedRegion[];
}

export interface TranslationResult {
  readonly id: number;
  readonly long: boolean;
  readonly modules: readonly TranslatedModule[];
  /** Requests that nothing came of. */
  readonly refused: number;
  /**
   * RAM offsets of requests that lie within regions made just now, and of those for shared regions that there are not: they
   * are worth a region only if they get hot again.
   */
  readonly postponed: readonly number[];
  readonly milliseconds: number;
}

/** Translates, sooner or later. */
export interface TranslationService {
  post(job: TranslationJob): void;
  /** A finished job, if there is one. */
  poll(): TranslationResult | undefined;
  /** Where regions begin that it made, for whichever processor; absent: it serves only one. */
  readonly made?: MadeRegions | undefined;
}

export const hasBit = (bitmap: Uint8Array, bit: number): boolean =>
  ((bitmap[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
