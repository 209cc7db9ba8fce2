/**
 * Turns hot code into regions: takes what the interpreter enters often, has it translated, several regions to a module,
 * and lets the records of their entries call them. SDM-visible behaviour does not change.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import { type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import type { CodeCache } from '../interpret/code-cache.ts';
import type { HandlerHost } from '../interpret/handlers.ts';
import type { JumpCache } from '../interpret/jump-cache.ts';
import { record, recordHeat } from '../interpret/record.ts';
import { chunkBytes, chunksOf, chunksOfPage } from '../interpret/record-index.ts';
import { engine, regionPlaces } from '../state/layout.ts';
import { type DetachedRegion, DetachedRegions, type RegionFunction } from './detached-regions.ts';
import { gatherPages } from './gather-pages.ts';
import {
  decodeModeOf,
  maxJobs,
  modeIndexOf,
  type RegionPages,
  type RegionWish,
  type TranslatedModule,
  type TranslatedRegion,
  type TranslationResult,
  type TranslationService,
} from './job.ts';
import { isOutdated, JobWriter } from './job-writer.ts';
import { type NumberedEntry, type Placement, RegionModule, RegionStore } from './region-store.ts';
import { SharedHints } from './shared-hints.ts';
import type { TranslationPace } from './translation-pace.ts';
import { noStatistics, type TranslatorStatistics } from './translator-statistics.ts';

/** Regions that are asked for together. */
const batchSize = 16;
/**
 * What V8 keeps for a module besides the code, and for a byte of it: the byte itself, 1.8 of optimised machine code, and a
 * part of the baseline's 2.6, which it gives back sooner or later. Measured; see docs/PERFORMANCE.md.
 */
const moduleOverhead = 8 << 10;
const bytesPerByte = 4;
/** Entries that are remembered for regions that stay: more than regions there can be. */
const mostStaying = 1 << 18;
/** Slices, of a millisecond at most, until half of the regions' misses are forgotten. */
const slicesPerAge = 32;
/** Part of the code cache that is kept when it is full. */
const keptPart = 0.75;

/** Where hot code was found. */
export interface Candidate {
  /** 64-bit code; otherwise 32-bit code with flat segments. */
  readonly long: boolean;
  readonly record: number;
  readonly ramOffset: number;
  /** The RAM page that code lies in, by distance in pages from the candidate's; -1 if that is not known now. */
  readonly pageAt: (distance: number) => number;
}

interface Waiting {
  readonly long: boolean;
  readonly record: number;
  readonly ramOffset: number;
  /** RAM pages by distance. */
  readonly pages: ReadonlyMap<number, number>;
  readonly sharedOnly?: boolean;
  /** Records of the entries of a region that this one takes the place of. */
  readonly replaced?: readonly number[];
}

export interface TranslatorOptions {
  readonly host: HandlerHost;
  readonly table: WasmTable;
  readonly jumps: JumpCache;
  readonly code: Pick<
    CodeCache,
    'known' | 'expect' | 'survey' | 'branchesOut' | 'watches' | 'copy' | 'find' | 'forgetRecords' | 'hold'
  >;
  readonly service: TranslationService;
  /** What compiled code may take, about. */
  readonly cacheBytes: number;
  /** See `RegionRequest`: what regions are made to do at first. */
  readonly leavesOnMiss: boolean;
  readonly pace: TranslationPace;
}

export class Translator {
  readonly #statistics = noStatistics();
  readonly #options: TranslatorOptions;
  readonly #view: DataView;
  readonly #store: RegionStore;
  #queue: Waiting[] = [];
  /** RAM offsets of entries whose regions may not reach into other pages: these move. */
  readonly #alone = new Set<number>();
  /** RAM offsets of entries whose regions stay where an access misses the TLB: they did so often. */
  readonly #staying = new Set<number>();
  /** Of these, such as are under way: their jobs, 0 before they are posted. */
  readonly #replacing = new Map<number, number>();
  readonly #hints: SharedHints;
  #nextJob = 1;
  #slices = 0;
  /** Jobs under way: what of RAM (offset / `chunkBytes`) was overwritten since they were posted. */
  readonly #jobs = new Map<number, Set<number>>();
  /** Of 32-bit code, and of 64-bit code. */
  readonly #detached: readonly [DetachedRegions, DetachedRegions] = [new DetachedRegions(), new DetachedRegions()];

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#view = new DataView(options.host.vcpuMemory.buffer);
    const { table, jumps, code } = options;
    this.#setPace();
    this.#hints = new SharedHints(this.#view, code, options.service.made);
    this.#store = new RegionStore(table, this.#view, jumps, (address) => code.copy(address));
  }

  get statistics(): Readonly<TranslatorStatistics> {
    return { ...this.#statistics, dropped: this.#store.dropped, cacheBytes: this.#store.bytes };
  }

  referenceOf(address: number): number {
    return this.#store.referenceOf(address);
  }

  /** A record was reported as hot. */
  noteHot(candidate: Candidate): void {
    this.settle(candidate.record);
    if (!this.#isOutdated(candidate.record)) this.#enqueue(candidate);
  }

  #enqueue(candidate: Candidate): void {
    const { long, record: address, ramOffset } = candidate;
    const sharedOnly = this.#hints.has(ramOffset);
    this.#queue.push({ long, record: address, ramOffset, pages: this.#pagesAround(candidate), sharedOnly });
  }

  #pagesAround({ long, ramOffset, pageAt }: Candidate): Map<number, number> {
    if (this.#alone.has(ramOffset)) return new Map([[0, Math.floor(ramOffset / pageSize)]]);
    const { code } = this.#options;
    const watchedAt = (distance: number): number => {
      const ramPage = pageAt(distance);
      return code.watches(ramPage) ? ramPage : -1;
    };
    return gatherPages(ramOffset, watchedAt, (ramPage, visit) => code.branchesOut(ramPage, modeIndexOf(long), visit));
  }

  /** Queues a record at once, unless it is translated or was looked at already. */
  request(candidate: Candidate): void {
    if (this.#view.getUint8(candidate.record + record.heat) === recordHeat.settled) return;
    this.settle(candidate.record);
    this.#enqueue(candidate);
  }

  /** Stops counting a record. */
  settle(address: number): void {
    this.#view.setUint8(address + record.heat, recordHeat.settled);
  }

  /** Enough waits that the slice had better end for it. */
  get pressing(): boolean {
    return this.#queue.length >= batchSize && this.#jobs.size < maxJobs;
  }

  /** Hands on what waits, and takes in what is finished, in between two slices; no emitted code may be running. */
  work(): void {
    if (++this.#slices % slicesPerAge === 0) this.#store.ageMisses();
    this.#setPace();
    if (this.#jobs.size > 0) this.#collect();
    this.#hints.look();
    while (this.#queue.length > 0 && this.#jobs.size < maxJobs) {
      this.#post();
      this.#collect();
    }
  }

  #setPace(): void {
    this.#view.setInt32(engine.hotAfter, this.#options.pace.rounds(), true);
  }

  #post(): void {
    const [{ long }] = this.#queue as [Waiting];
    const others = this.#queue.findIndex((waiting) => waiting.long !== long);
    const count = Math.min(batchSize, others < 0 ? this.#queue.length : others);
    const batch = this.#queue.splice(0, count);
    const replaced = new Set(batch.flatMap((waiting) => waiting.replaced ?? []));
    const job = new JobWriter(this.#view.buffer, this.#options.code, long, replaced);
    for (const { record: address, ramOffset, pages, sharedOnly = false } of batch) {
      const wish: RegionWish = { leavesOnMiss: this.#leavesOnMiss(ramOffset), sharedOnly };
      if (replaced.has(address) || !this.#isOutdated(address)) job.add(ramOffset, pages, wish);
    }
    const id = this.#nextJob++;
    for (const { ramOffset, replaced: records } of batch) {
      if (records === undefined) continue;
      if (job.isEmpty) this.#replacing.delete(ramOffset);
      else this.#replacing.set(ramOffset, id);
    }
    if (job.isEmpty) return;
    this.#jobs.set(id, new Set());
    this.#options.service.post(job.finish(id));
  }

  /** The record's code changed while it waited, or is translated already. */
  #isOutdated(address: number): boolean {
    return isOutdated(this.#view.getUint16(address + record.handler, true));
  }

  #collect(): void {
    for (;;) {
      const result = this.#options.service.poll();
      if (result === undefined) return;
      const overwritten = this.#jobs.get(result.id);
      this.#jobs.delete(result.id);
      for (const [ramOffset, job] of this.#replacing) if (job === result.id) this.#replacing.delete(ramOffset);
      this.#statistics.refused += result.refused;
      this.#statistics.milliseconds += result.milliseconds;
      for (const ramOffset of result.postponed) this.#countAnew(ramOffset, result.long);
      for (const { bytes } of result.modules) this.#statistics.bytes += bytes;
      // A job that was posted before everything was forgotten is not among the jobs any more.
      if (overwritten === undefined) continue;
      for (const made of result.modules) this.#install(made, result.long, overwritten);
      const { cacheBytes } = this.#options;
      if (this.#store.bytes > cacheBytes) this.#store.shrink(cacheBytes * keptPart);
      if (this.#store.isFull) this.#store.shrink(this.#store.bytes * keptPart);
    }
  }

  #countAnew(ramOffset: number, long: boolean): void {
    const address = this.#options.code.known(ramOffset, modeIndexOf(long));
    if (address !== 0 && !this.#isOutdated(address)) this.#view.setUint8(address + record.heat, recordHeat.warm);
    this.#hints.failed(ramOffset, address);
  }

  #functionsOf({ module, regions }: TranslatedModule): RegionFunction[] {
    const { host, table } = this.#options;
    const { exports } = new webAssembly.Instance(module, {
      env: { vcpu: host.vcpuMemory, ram: host.guestMemory, regions: table, ...host.shared },
    });
    return regions.map(({ position }) => exports[`r${position}`] as RegionFunction);
  }

  #install(made: TranslatedModule, long: boolean, overwritten: ReadonlySet<number>): void {
    const functions = this.#functionsOf(made);
    const module = new RegionModule(made.bytes * bytesPerByte + moduleOverhead);
    for (const [position, region] of made.regions.entries()) {
      this.#makeRoomFor(region, long);
      const entries = this.#entriesOf(region, long);
      if (entries.length === 0) continue;
      if (this.#store.isFull || region.chunks.some((chunk) => overwritten.has(chunk))) {
        // There is no room, or what it was made of is gone: what is there may get hot again.
        for (const entry of entries) this.#view.setUint8(entry.record + record.heat, 0);
        continue;
      }
      const { instructions, pages } = region;
      const chunks = Int32Array.from(region.chunks);
      this.#store.add(
        { function: functions[position], module, entries, pages, chunks, instructions },
        modeIndexOf(long),
      );
      this.#hints.met(region.entries[0]?.ramOffset ?? 0);
      this.#statistics.regions++;
      this.#statistics.instructions += instructions;
      this.#options.pace.note(instructions);
    }
  }

  /** A region that stays takes the place of the one that did not. */
  #makeRoomFor({ entries: [first] }: TranslatedRegion, long: boolean): void {
    if (first === undefined || !this.#staying.has(first.ramOffset)) return;
    const address = this.#options.code.known(first.ramOffset, modeIndexOf(long));
    if (address !== 0) this.#store.removeAt(address);
  }

  /** A region's entries with their numbers and records, without those that are another region's by now, or gone. */
  #entriesOf(region: TranslatedRegion, long: boolean): NumberedEntry[] {
    const { code } = this.#options;
    return region.entries
      .map((entry, number) => ({ ...entry, number, record: code.known(entry.ramOffset, modeIndexOf(long)) }))
      .filter(({ record: address }) => address !== 0 && !this.#isOutdated(address));
  }

  /** The region behind a record, with its pages counted from the record's. */
  placementOf(address: number): Placement | undefined {
    return this.#store.placementOf(address);
  }

  /** A region was entered while its pages lay elsewhere; if that goes on, it is made again without them. */
  noteMisplaced(address: number): void {
    for (const ramOffset of this.#store.noteMisplaced(address)) this.#alone.add(ramOffset);
  }

  #leavesOnMiss(ramOffset: number): boolean {
    return this.#options.leavesOnMiss && !this.#staying.has(ramOffset);
  }

  /** A region was left too often at accesses that missed the TLB: it is made again so that it stays. */
  noteMissed(address: number, long: boolean): void {
    const region = this.#store.noteMissed(address);
    const [first] = region?.entries ?? [];
    if (region === undefined || first === undefined || this.#replacing.has(first.ramOffset)) return;
    this.#replacing.set(first.ramOffset, 0);
    if (this.#staying.size >= mostStaying) this.#staying.clear();
    this.#staying.add(first.ramOffset);
    const pages = new Map(region.pages.map(([distance, ramOffset]) => [distance - first.page, ramOffset / pageSize]));
    const replaced = region.entries.map((entry) => entry.record);
    this.#queue.push({ long, record: first.record, ramOffset: first.ramOffset, pages, replaced });
    this.#statistics.remade++;
  }

  /** Bytes of a chunk were overwritten: regions with instructions there go back to the interpreter. */
  drop(ramPage: number, chunk: number): void {
    this.#store.drop(ramPage, chunk);
    const inRam = ramPage * chunksOfPage + chunk;
    for (const overwritten of this.#jobs.values()) overwritten.add(inRam);
    for (const detached of this.#detached) detached.drop(inRam);
  }

  /** Whether a write to bytes of one page of RAM would change what is translated. */
  holds(ramOffset: number, bytes: number): boolean {
    const ramPage = Math.floor(ramOffset / pageSize);
    const [first, last] = chunksOf(ramOffset & (pageSize - 1), bytes);
    for (let chunk = first; chunk <= last; chunk++) {
      const inRam = ramPage * chunksOfPage + chunk;
      if (this.#store.holds(ramPage, chunk) || this.#detached.some((one) => one.touches(inRam))) return true;
    }
    return false;
  }

  /** Whether there were more entries in lockstep than regions can be kept. */
  get detachedTooMany(): boolean {
    return this.#detached.some(({ overflowed }) => overflowed);
  }

  /** Translates one entry without letting its record call it; for lockstep. @returns undefined if that cannot be. */
  detachedFor(candidate: Candidate): DetachedRegion | undefined {
    const { long, ramOffset } = candidate;
    const detached = this.#detachedOf(long);
    if (!detached.has(ramOffset)) {
      const job = new JobWriter(this.#view.buffer, this.#options.code, long);
      // With an empty TLB, as lockstep has it, a region that leaves would not come far.
      job.add(ramOffset, this.#pagesAround(candidate), { leavesOnMiss: false, sharedOnly: false });
      this.#options.service.post(job.finish(this.#nextJob++));
      const result = this.#options.service.poll();
      detached.set(ramOffset, undefined, [Math.floor(ramOffset / chunkBytes)]);
      if (result !== undefined) this.#detach(result);
    }
    return detached.get(ramOffset);
  }

  #detachedOf(long: boolean): DetachedRegions {
    return this.#detached[long ? 1 : 0];
  }

  /** Every way into a region is taken in lockstep, too. */
  #detach(result: TranslationResult): void {
    const [made] = result.modules;
    const [region] = made?.regions ?? [];
    const [run] = made === undefined ? [] : this.#functionsOf(made);
    if (region === undefined || run === undefined) return;
    const detached = this.#detachedOf(result.long);
    for (const [number, entry] of region.entries.entries()) {
      if (detached.get(entry.ramOffset) !== undefined) continue;
      const pages: RegionPages = region.pages.map(([distance, page]) => [distance - entry.page, page]);
      const runAnew: RegionFunction = (address) => {
        // Regions without a place in the table share what is known of their pages.
        this.#view.setInt32(regionPlaces.base, 0, true);
        return run(address, number);
      };
      detached.set(entry.ramOffset, { run: runAnew, pages }, region.chunks);
    }
  }

  /** Whether translated code lies in a page of RAM. */
  reaches(ramPage: number): boolean {
    return this.#store.pages.has(ramPage);
  }

  /** Has all records forgotten but such as regions are entered by, which are made anew. No emitted code may be running. */
  forgetRecords(): void {
    const { code, jumps } = this.#options;
    this.#dropPlans();
    code.forgetRecords([...this.#store.pages.keys()]);
    jumps.flushAll();
    this.#store.reattach((ramOffset, modeIndex) => code.find(ramOffset, decodeModeOf(modeIndex), modeIndex));
  }

  /** Forgets all regions, for a full record cache. */
  clear(): void {
    this.#store.clear();
    this.#alone.clear();
    this.#staying.clear();
    this.#dropPlans();
  }

  #dropPlans(): void {
    this.#queue = [];
    this.#jobs.clear();
    this.#replacing.clear();
    this.#hints.clear();
    for (const detached of this.#detached) detached.clear();
  }
}
