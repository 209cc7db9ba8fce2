/**
 * Regions that were made for one processor and may serve others, who run the same code: a module that is compiled once
 * is compiled for all threads. What a region was made of is kept, to see whether it still is what it was.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import type { WasmModule } from '../../wasm/webassembly.ts';
import { chunkBytes } from '../interpret/record-index.ts';
import type { CodePage, RegionRequest, TranslatedRegion } from './job.ts';
import type { MadeRegions } from './made-regions.ts';

/** Regions that begin at one place: made with other pages around it, or from other code. */
const maxNamesakes = 4;

export interface SharedRegion {
  readonly module: WasmModule;
  readonly region: TranslatedRegion;
}

interface Volume extends SharedRegion {
  readonly long: boolean;
  readonly leavesOnMiss: boolean;
  /** The bytes of the region's chunks, in their order. */
  readonly code: readonly Uint8Array[];
}

interface Batch {
  readonly bytes: number;
  readonly offsets: readonly number[];
  readonly volumes: readonly Volume[];
}

const pagesOf = (request: RegionRequest): Map<number, CodePage> =>
  new Map([...request.pages.values()].map((page) => [page.ramPage, page]));

function chunkOf(pages: ReadonlyMap<number, CodePage>, chunk: number): Uint8Array | undefined {
  const start = chunk * chunkBytes;
  const within = start % pageSize;
  return pages.get(Math.floor(start / pageSize))?.bytes.subarray(within, within + chunkBytes);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, position) => byte === b[position]);

export class RegionLibrary {
  readonly #maxBytes: number;
  readonly #made: MadeRegions;
  readonly #volumes = new Map<number, Volume[]>();
  /** The oldest first. */
  readonly #batches: Batch[] = [];
  #bytes = 0;

  /** @param maxBytes of WebAssembly that it keeps; @param made is told what it takes in */
  constructor(maxBytes: number, made: MadeRegions) {
    this.#maxBytes = maxBytes;
    this.#made = made;
  }

  /** A region that begins where the request wants it, made of the same code in the same places. */
  find(request: RegionRequest): SharedRegion | undefined {
    const volumes = this.#volumes.get(request.ramOffset);
    if (volumes === undefined) return undefined;
    const pages = pagesOf(request);
    return volumes.find(({ region, code, long, leavesOnMiss }) => {
      if (long !== request.long || leavesOnMiss !== request.leavesOnMiss) return false;
      const placed = region.pages.every(
        ([distance, ramOffset]) => request.pages.get(distance)?.ramPage === ramOffset / pageSize,
      );
      return (
        placed &&
        region.chunks.every((chunk, position) => {
          const now = chunkOf(pages, chunk);
          return now !== undefined && same(code[position] as Uint8Array, now);
        })
      );
    });
  }

  /** Takes in what was just made. @param requests of the regions, in their order */
  add(
    module: WasmModule,
    bytes: number,
    regions: readonly TranslatedRegion[],
    requests: readonly RegionRequest[],
  ): void {
    const volumes = regions.flatMap((region, position): Volume[] => {
      const request = requests[position] as RegionRequest;
      const pages = pagesOf(request);
      const code = region.chunks.map((chunk) => chunkOf(pages, chunk)?.slice());
      const { long, leavesOnMiss } = request;
      return code.includes(undefined) ? [] : [{ module, region, long, leavesOnMiss, code: code as Uint8Array[] }];
    });
    const offsets = volumes.map(({ region }) => region.entries[0]?.ramOffset as number);
    volumes.forEach((volume, position) => {
      const offset = offsets[position] as number;
      this.#volumes.set(offset, [volume, ...(this.#volumes.get(offset) ?? [])].slice(0, maxNamesakes));
      this.#made.tell(offset, volume.long);
    });
    this.#batches.push({ bytes, offsets, volumes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#batches.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.bytes;
    const gone = new Set(oldest.volumes);
    for (const offset of oldest.offsets) {
      const left = (this.#volumes.get(offset) ?? []).filter((volume) => !gone.has(volume));
      if (left.length === 0) this.#volumes.delete(offset);
      else this.#volumes.set(offset, left);
    }
  }
}
