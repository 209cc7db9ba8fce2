/** The regions there are: in the table that emitted code calls through, and in the records of their entries. */
import type { WasmTable } from '../../wasm/webassembly.ts';
import { pseudoHandler } from '../interpret/handler-keys.ts';
import type { JumpCache } from '../interpret/jump-cache.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { chunksOfPage } from '../interpret/record-index.ts';
import { regionMisses, regionPlaces, regionReference, regionUse, state } from '../state/layout.ts';
import type { RegionEntry, RegionPages } from './job.ts';

export const maxRegions = regionPlaces.regions;
/** Times that a region may be found misplaced before it is given up. */
const maxMisplaced = 16;

/** A compiled module: the engine lets go of its memory when the last of its regions is gone. */
export class RegionModule {
  /** What it takes, code and overhead. */
  readonly bytes: number;
  readonly regions = new Set<Region>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }
}

/** An entry with its number in the region, and its record. */
export interface NumberedEntry extends RegionEntry {
  readonly number: number;
  readonly record: number;
}

/** An entry with its record as the interpreter runs it. */
export interface Entry extends NumberedEntry {
  readonly original: Uint8Array;
}

export interface Region {
  readonly index: number;
  entries: readonly Entry[];
  readonly pages: RegionPages;
  readonly module: RegionModule;
  /** RAM offsets / `chunkBytes` that its instructions touch. */
  readonly chunks: Int32Array;
  readonly instructions: number;
  /** Of its code; see `FetchMode`. */
  readonly modeIndex: number;
  /** Times that it was entered while its pages lay elsewhere. */
  misplaced: number;
}

/** A region as seen from one of its entries. */
export interface Placement {
  /** Those that the entry needs: distances from its own, and RAM offsets. */
  readonly pages: RegionPages;
  /** The entry's record as the interpreter runs it. */
  readonly original: Uint8Array;
}

export interface NewRegion {
  readonly function: unknown;
  readonly module: RegionModule;
  readonly entries: readonly NumberedEntry[];
  readonly pages: RegionPages;
  readonly chunks: Int32Array;
  readonly instructions: number;
}

export class RegionStore {
  readonly #table: WasmTable;
  readonly #view: DataView;
  readonly #jumps: JumpCache;
  readonly #copy: (address: number) => number;
  /** Regions by page of RAM that they have instructions in. */
  readonly #byPage = new Map<number, Set<Region>>();
  readonly #all = new Map<number, Region>();
  readonly #free: number[] = [];
  /** Index 0 is the interpreter. */
  #next = 1;
  /** Those that have a region left, the oldest first. */
  readonly #modules = new Set<RegionModule>();
  /** What they take. */
  bytes = 0;
  dropped = 0;

  /** @param copy see `CodeCache.copy` */
  constructor(table: WasmTable, view: DataView, jumps: JumpCache, copy: (address: number) => number) {
    this.#copy = copy;
    this.#table = table;
    this.#view = view;
    this.#jumps = jumps;
  }

  get count(): number {
    return this.#all.size;
  }

  get isFull(): boolean {
    return this.#free.length === 0 && this.#next >= maxRegions;
  }

  /** The reference in a record that a region stands behind; 0 for any other. */
  referenceOf(address: number): number {
    const translated = this.#view.getUint16(address + record.handler, true) === pseudoHandler.translated;
    return translated ? this.#view.getInt32(address + record.immediate, true) : 0;
  }

  /** The region that the record at `address` enters. */
  placementOf(address: number): Placement | undefined {
    const region = this.#all.get(this.referenceOf(address) >> regionReference.entryBits);
    const entry = region?.entries.find((one) => one.record === address);
    if (region === undefined || entry === undefined) return undefined;
    const needed = region.pages.filter(([distance]) => distance >= entry.page && distance <= entry.lastPage);
    return { pages: needed.map(([distance, page]) => [distance - entry.page, page]), original: entry.original };
  }

  /** A region was entered while its pages lay elsewhere. @returns RAM offsets of its entries, if it is gone for that */
  noteMisplaced(address: number): number[] {
    const region = this.#all.get(this.referenceOf(address) >> regionReference.entryBits);
    if (region === undefined || ++region.misplaced < maxMisplaced) return [];
    this.#remove(region);
    return region.entries.map(({ ramOffset }) => ramOffset);
  }

  /** A region was left too often (`goOn`). @returns what it was made of; its misses are counted anew */
  noteMissed(address: number): Pick<Region, 'entries' | 'pages'> | undefined {
    const region = this.#all.get(this.referenceOf(address) >> regionReference.entryBits);
    if (region !== undefined) this.#view.setUint16(regionMisses.base + region.index * 2, 0, true);
    return region;
  }

  /** Half of what regions were left for lately is forgotten. */
  ageMisses(): void {
    const misses = new Uint16Array(this.#view.buffer, regionMisses.base, this.#next);
    for (let index = 1; index < misses.length; index++) misses[index] = (misses[index] as number) >> 1;
  }

  /** Gives up the region that the record at `address` enters. */
  removeAt(address: number): void {
    const region = this.#all.get(this.referenceOf(address) >> regionReference.entryBits);
    if (region !== undefined) this.#remove(region);
  }

  add(region: NewRegion, modeIndex: number): void {
    const index = this.#free.pop() ?? this.#next++;
    this.#table.set(index, region.function);
    this.#view.setUint16(regionMisses.base + index * 2, 0, true);
    this.#view.setInt32(regionPlaces.base + index * 4, 0, true);
    if (region.module.regions.size === 0) {
      this.#modules.add(region.module);
      this.bytes += region.module.bytes;
    }
    const entries = region.entries.map((entry) => this.#attach(entry, index, modeIndex));
    this.#jumps.forgetTargets();
    const { module, pages, chunks, instructions } = region;
    const added: Region = { index, entries, pages, module, chunks, instructions, modeIndex, misplaced: 0 };
    this.#all.set(index, added);
    module.regions.add(added);
    this.#setUsed(added, true);
    for (const page of this.#pagesOf(added)) {
      const list = this.#byPage.get(page);
      if (list === undefined) this.#byPage.set(page, new Set([added]));
      else list.add(added);
    }
  }

  /** Lets the record of an entry call its region. */
  #attach(entry: NumberedEntry, index: number, modeIndex: number): Entry {
    const { record: address, ramOffset, number } = entry;
    const original = new Uint8Array(this.#view.buffer, address, record.size).slice();
    const reference = (index << regionReference.entryBits) | number;
    const copied = this.#copy(address);
    this.#view.setUint16(address + record.handler, pseudoHandler.translated, true);
    this.#view.setUint8(address + record.heat, recordHeat.settled);
    this.#view.setInt32(address + record.immediate, reference, true);
    this.#view.setInt32(address + record.original, copied, true);
    this.#jumps.enter(ramOffset, modeIndex, address, reference);
    return { ...entry, original };
  }

  /** Pages of RAM that regions have instructions in. */
  get pages(): Pick<ReadonlyMap<number, unknown>, 'has' | 'keys'> {
    return this.#byPage;
  }

  /** All records are gone: entries get new ones. @param find makes the record of code in RAM; 0: there is none */
  reattach(find: (ramOffset: number, modeIndex: number) => number): void {
    for (const region of [...this.#all.values()]) {
      const { index, modeIndex } = region;
      const entries: Entry[] = [];
      for (const entry of region.entries) {
        const address = find(entry.ramOffset, modeIndex);
        // Another region may have come to be entered there.
        if (address === 0 || this.referenceOf(address) !== 0) continue;
        entries.push(this.#attach({ ...entry, record: address }, index, modeIndex));
      }
      region.entries = entries;
      if (entries.length === 0) this.#remove(region);
    }
  }

  #pagesOf({ chunks }: Region): Set<number> {
    return new Set(Array.from(chunks, (chunk) => Math.floor(chunk / chunksOfPage)));
  }

  /** Bytes of a chunk (of 64, within a page of RAM) were overwritten: regions with instructions there are gone. */
  drop(ramPage: number, chunk: number): void {
    const list = this.#byPage.get(ramPage);
    if (list === undefined) return;
    const wanted = ramPage * chunksOfPage + chunk;
    for (const region of [...list]) if (region.chunks.includes(wanted)) this.#remove(region);
  }

  /** Whether a region has instructions in a chunk. */
  holds(ramPage: number, chunk: number): boolean {
    const list = this.#byPage.get(ramPage);
    if (list === undefined) return false;
    const wanted = ramPage * chunksOfPage + chunk;
    for (const region of list) if (region.chunks.includes(wanted)) return true;
    return false;
  }

  #remove(region: Region): void {
    this.#all.delete(region.index);
    for (const page of this.#pagesOf(region)) {
      const list = this.#byPage.get(page);
      list?.delete(region);
      if (list?.size === 0) this.#byPage.delete(page);
    }
    for (const { record: address, ramOffset, original } of region.entries) {
      this.#jumps.forget(ramOffset);
      if (this.referenceOf(address) >> regionReference.entryBits !== region.index) continue;
      new Uint8Array(this.#view.buffer).set(original, address);
      this.#view.setUint8(address + record.heat, 0);
    }
    this.#jumps.forgetTargets();
    // The table would keep the region's module alive.
    this.#table.set(region.index, null);
    this.#free.push(region.index);
    const { module } = region;
    module.regions.delete(region);
    if (module.regions.size === 0 && this.#modules.delete(module)) this.bytes -= module.bytes;
    this.dropped++;
    // Whichever region runs now may be the one: it must not start another round.
    this.#view.setInt32(state.request, -1, true);
  }

  #isUsed({ index }: Region): boolean {
    return this.#view.getUint8(regionUse.base + index) !== 0;
  }

  #setUsed({ index }: Region, used: boolean): void {
    this.#view.setUint8(regionUse.base + index, used ? 1 : 0);
  }

  /**
   * Gives modules up until those left take no more than `bytes`: first what was not entered since the last time, then the
   * oldest. What is still hot is translated again.
   */
  shrink(bytes: number): void {
    const idle = [...this.#modules].filter(({ regions }) => ![...regions].some((region) => this.#isUsed(region)));
    for (const module of [...idle, ...this.#modules]) {
      if (this.bytes <= bytes) break;
      for (const region of [...module.regions]) this.#remove(region);
    }
    for (const region of this.#all.values()) this.#setUsed(region, false);
  }

  clear(): void {
    for (const region of [...this.#all.values()]) this.#remove(region);
  }
}
