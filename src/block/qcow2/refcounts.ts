/** Reference counts of host clusters: read, changed, and found to be zero. Changes stay in memory until a commit. */
import { qcow2Header } from '../../spec/qcow2.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { Mutex } from '../mutex.ts';
import type { DirtySource, PendingWrite } from './commit.ts';
import { corrupt, hex } from './failures.ts';
import type { FreedList } from './freed-clusters.ts';
import type { Geometry } from './geometry.ts';
import { setU64, viewOf } from './header.ts';
import { type RefcountCodec, refcountCodec } from './refcount-codec.ts';
import { planBlocks } from './refcount-growth.ts';
import type { NewBlocks, RefcountTable } from './refcount-table.ts';
import type { MetadataRegions } from './regions.ts';
import type { Slice, TableCache } from './table-cache.ts';

export interface Allocation {
  readonly offset: number;
  readonly count: number;
  /** Nobody has ever written there: it reads as zeroes. */
  readonly fresh: boolean;
}

export interface RefcountParts {
  readonly file: BlockFile;
  readonly geometry: Geometry;
  readonly table: RefcountTable;
  readonly cache: TableCache;
  readonly regions: MetadataRegions;
  readonly freed: FreedList;
  /** Where the file ends. */
  readonly fileBytes: number;
}

export class Refcounts implements DirtySource {
  readonly #file: BlockFile;
  readonly #geometry: Geometry;
  readonly #codec: RefcountCodec;
  readonly #table: RefcountTable;
  readonly #cache: TableCache;
  readonly #regions: MetadataRegions;
  readonly #freed: FreedList;
  readonly #entriesPerSlice: number;
  readonly #mutex = new Mutex();
  /** No cluster before it is free. */
  #hint = 0;
  #end: number;
  /** Where the next compressed cluster can begin, or 0. */
  #packOffset = 0;

  constructor({ file, geometry, table, cache, regions, freed, fileBytes }: RefcountParts) {
    this.#file = file;
    this.#geometry = geometry;
    this.#codec = refcountCodec(geometry.refcountBits);
    this.#table = table;
    this.#cache = cache;
    this.#regions = regions;
    this.#freed = freed;
    this.#entriesPerSlice = (cache.sliceBytes * 8) / geometry.refcountBits;
    this.#end = Math.ceil(fileBytes / geometry.clusterBytes) * geometry.clusterBytes;
  }

  /** Behind the last cluster that the file has, or that was handed out. */
  get endBytes(): number {
    return this.#end;
  }

  get isDirty(): boolean {
    return this.#cache.isDirty;
  }

  takeDirty(): PendingWrite[] {
    return this.#cache.takeDirty();
  }

  /**
   * Takes free clusters that lie next to each other.
   * @param exact as many as asked for; else fewer may come
   */
  allocate(count: number, exact: boolean): Promise<Result<Allocation, DiskFailure>> {
    return this.#mutex.run(() => this.#allocate(count, exact));
  }

  /** Takes room for `length` bytes of compressed data, behind others of its kind if it fits. @returns its offset */
  allocateBytes(length: number): Promise<Result<number, DiskFailure>> {
    return this.#mutex.run(async () => {
      const { clusterBytes, maxRefcount } = this.#geometry;
      const start = this.#packOffset;
      const used = start === 0 ? 0 : start - (start % clusterBytes);
      const count = start === 0 ? ok(maxRefcount) : await this.#get(used / clusterBytes);
      if (!count.ok) return count;
      const usable = count.value < maxRefcount;
      if (usable && start + length <= used + clusterBytes) return this.#pack(start, length);
      const more = await this.#allocate(1, true);
      if (!more.ok) return more;
      const adjacent = usable && more.value.offset === used + clusterBytes;
      this.#packOffset = 0;
      if (!adjacent) {
        this.#packOffset = this.#nextPackOffset(more.value.offset + length);
        return ok(more.value.offset);
      }
      return this.#pack(start, length);
    });
  }

  /** The count of one cluster. */
  get(cluster: number): Promise<Result<number, DiskFailure>> {
    return this.#mutex.run(() => this.#get(cluster));
  }

  /** Adds to the count of every cluster that the range touches. Fails, with some of them done, if one leaves its limits. */
  change(offset: number, length: number, delta: number): Promise<Result<void, DiskFailure>> {
    return this.#mutex.run(() => this.#change(offset, length, delta));
  }

  /** Gives back what was freed and is no longer mentioned in the file. */
  applyFreed(): Promise<Result<void, DiskFailure>> {
    return this.#mutex.run(async () => {
      for (const { offset, length } of this.#freed.takeSettled()) {
        await this.#punch(offset, length);
        const changed = await this.#change(offset, length, -1);
        if (!changed.ok) return changed;
      }
      return ok(undefined);
    });
  }

  /** The room that is about to lose its last reference. It is still counted, so nobody else can have it meanwhile. */
  async #punch(offset: number, length: number): Promise<void> {
    const { clusterBytes } = this.#geometry;
    const end = offset + length;
    let start = -1;
    for (let at = offset - (offset % clusterBytes); at < end; at += clusterBytes) {
      const count = await this.#get(at / clusterBytes);
      const last = count.ok && count.value === 1;
      if (last && start < 0) start = at;
      if (start >= 0 && !last) {
        await this.#file.punchHole(start, at - start);
        start = -1;
      }
    }
    // The room is a gain that one can do without: a failure is none of the disk.
    if (start >= 0) await this.#file.punchHole(start, Math.ceil(end / clusterBytes) * clusterBytes - start);
  }

  /** One more user of the cluster at `start`; if the data goes on in the next one, that is counted already. */
  async #pack(start: number, length: number): Promise<Result<number, DiskFailure>> {
    const changed = await this.#change(start, 1, 1);
    if (!changed.ok) return changed;
    this.#packOffset = this.#nextPackOffset(start + length);
    return ok(start);
  }

  #nextPackOffset(offset: number): number {
    return offset % this.#geometry.clusterBytes === 0 ? 0 : offset;
  }

  async #allocate(count: number, exact: boolean): Promise<Result<Allocation, DiskFailure>> {
    const { clusterBytes } = this.#geometry;
    const found = await this.#find(count, exact);
    if (!found.ok) return found;
    const { firstFree } = found.value;
    let { start, length } = found.value;
    // Room that was used before and room that was not are different to who gets it.
    const old = this.#end / clusterBytes - start;
    if (!exact && old > 0 && old < length) length = old;
    const offset = start * clusterBytes;
    const metadata = this.#regions.find(offset, length * clusterBytes);
    if (metadata !== undefined) {
      return corrupt(this.#file.name, `the cluster at ${hex(offset)} is counted as free, but holds ${metadata}`);
    }
    for (const end = start + length; start < end; start++) {
      const set = await this.#set(start, 1);
      if (!set.ok) return set;
    }
    this.#hint = firstFree === offset / clusterBytes ? start : firstFree;
    const fresh = offset >= this.#end;
    this.#end = Math.max(this.#end, start * clusterBytes);
    return ok({ offset, count: length, fresh });
  }

  /** Looks for free clusters from the hint on. */
  async #find(
    count: number,
    exact: boolean,
  ): Promise<Result<{ start: number; length: number; firstFree: number }, DiskFailure>> {
    const { refcountsPerBlock } = this.#geometry;
    let firstFree = -1;
    let start = -1;
    for (let cluster = this.#hint; ; ) {
      const block = Math.floor(cluster / refcountsPerBlock);
      if (block >= this.#table.usedEntries) {
        if (start >= 0 && !exact) break;
        start = -1;
        const added = await this.#addBlocks(exact ? count : 1);
        if (!added.ok) return added;
        continue;
      }
      const slice = await this.#slice(cluster);
      if (!slice.ok) return slice;
      if (slice.value === undefined) {
        if (start >= 0 && !exact) break;
        start = -1;
        cluster = (block + 1) * refcountsPerBlock;
        continue;
      }
      const { view } = slice.value;
      let index = (cluster % refcountsPerBlock) % this.#entriesPerSlice;
      for (; index < this.#entriesPerSlice; index++, cluster++) {
        if (this.#codec.get(view, index) === 0) {
          if (firstFree < 0) firstFree = cluster;
          if (start < 0) start = cluster;
          if (cluster - start + 1 === count) return ok({ start, length: count, firstFree });
        } else if (start >= 0) {
          if (!exact) return ok({ start, length: cluster - start, firstFree });
          start = -1;
        }
      }
      if (start >= 0 && !exact) return ok({ start, length: cluster - start, firstFree });
    }
    return ok({ start, length: 1, firstFree });
  }

  /** More refcount blocks behind the last one, so that `wanted` adjacent clusters find a place. */
  async #addBlocks(wanted: number): Promise<Result<void, DiskFailure>> {
    const { clusterBytes } = this.#geometry;
    const plan = planBlocks(this.#geometry, this.#table, wanted);
    if (plan === undefined) {
      return fail('unsupported', `${this.#file.name} is as large as its refcount table can describe.`);
    }
    const offset = plan.place * clusterBytes;
    const length = (plan.blocks + plan.tableClusters) * clusterBytes;
    const metadata = this.#regions.find(offset, length);
    if (metadata !== undefined) {
      return corrupt(this.#file.name, `${metadata} at ${hex(offset)} lies where no cluster is counted`);
    }
    this.#end = Math.max(this.#end, offset + length);
    const blocks = new Uint8Array(plan.blocks * clusterBytes);
    const view = viewOf(blocks);
    for (let index = 0; index < plan.blocks + plan.tableClusters; index++) this.#codec.set(view, index, 1);
    this.#cache.forget(offset, offset + length);
    const written = await this.#file.write(offset, blocks);
    if (!written.ok) return written;
    const linked = plan.tableClusters === 0 ? await this.#linkBlocks(plan) : await this.#moveTable(plan);
    if (!linked.ok) return linked;
    for (let index = 0; index < plan.blocks; index++) this.#regions.addRefcountBlock(offset + index * clusterBytes);
    return linked;
  }

  async #linkBlocks(plan: NewBlocks): Promise<Result<void, DiskFailure>> {
    const { clusterBytes } = this.#geometry;
    // The table must never name a block that is not there.
    const flushed = await this.#file.flush();
    if (!flushed.ok) return flushed;
    const entries = new Uint8Array(plan.blocks * 8);
    for (let i = 0; i < plan.blocks; i++) setU64(viewOf(entries), i * 8, (plan.place + i) * clusterBytes);
    const written = await this.#file.write(this.#table.offset + plan.first * 8, entries);
    if (!written.ok) return written;
    this.#table.extend(plan, clusterBytes);
    return ok(undefined);
  }

  async #moveTable(plan: NewBlocks): Promise<Result<void, DiskFailure>> {
    const { clusterBytes } = this.#geometry;
    const old = { offset: this.#table.offset, length: this.#table.clusters * clusterBytes };
    const offset = (plan.place + plan.blocks) * clusterBytes;
    const moved = this.#table.moved(offset, plan, clusterBytes);
    const written = await this.#file.write(offset, moved.encode());
    const flushed = written.ok ? await this.#file.flush() : written;
    if (!flushed.ok) return flushed;
    const fields = new Uint8Array(12);
    setU64(viewOf(fields), 0, offset);
    viewOf(fields).setUint32(8, plan.tableClusters);
    const switched = await this.#file.write(qcow2Header.refcountTableOffset, fields);
    const durable = switched.ok ? await this.#file.flush() : switched;
    if (!durable.ok) return durable;
    this.#table.become(moved);
    this.#regions.setRegion('the refcount table', offset, plan.tableClusters * clusterBytes);
    return this.#change(old.offset, old.length, -1);
  }

  async #get(cluster: number): Promise<Result<number, DiskFailure>> {
    const slice = await this.#slice(cluster);
    if (!slice.ok) return slice;
    const index = (cluster % this.#geometry.refcountsPerBlock) % this.#entriesPerSlice;
    return ok(slice.value === undefined ? 0 : this.#codec.get(slice.value.view, index));
  }

  async #set(cluster: number, value: number): Promise<Result<void, DiskFailure>> {
    const slice = await this.#slice(cluster);
    if (!slice.ok) return slice;
    if (slice.value === undefined) {
      return corrupt(this.#file.name, `cluster ${cluster} is in use and has no reference count`);
    }
    const index = (cluster % this.#geometry.refcountsPerBlock) % this.#entriesPerSlice;
    this.#codec.set(slice.value.view, index, value);
    this.#cache.markDirty(slice.value);
    return ok(undefined);
  }

  async #change(offset: number, length: number, delta: number): Promise<Result<void, DiskFailure>> {
    const { clusterBytes, maxRefcount } = this.#geometry;
    const last = Math.floor((offset + length - 1) / clusterBytes);
    for (let cluster = Math.floor(offset / clusterBytes); cluster <= last; cluster++) {
      const count = await this.#get(cluster);
      if (!count.ok) return count;
      const value = count.value + delta;
      if (value < 0) return corrupt(this.#file.name, `cluster ${cluster} is used more often than it is counted`);
      if (value > maxRefcount) {
        const { refcountBits } = this.#geometry;
        return fail('unsupported', `${this.#file.name} cannot count more uses of a cluster with ${refcountBits} bits.`);
      }
      const set = await this.#set(cluster, value);
      if (!set.ok) return set;
      if (value > 0) continue;
      this.#hint = Math.min(this.#hint, cluster);
      if (Math.floor(this.#packOffset / clusterBytes) === cluster) this.#packOffset = 0;
    }
    return ok(undefined);
  }

  /** The slice with the count of a cluster; undefined where there is no block for it. */
  async #slice(cluster: number): Promise<Result<Slice | undefined, DiskFailure>> {
    const { clusterBytes, refcountsPerBlock, refcountBits } = this.#geometry;
    const block = Math.floor(cluster / refcountsPerBlock);
    const offset = this.#table.blockOffset(block);
    if (offset === 0) return ok(undefined);
    if (offset % clusterBytes !== 0 || offset + clusterBytes > this.#end) {
      return corrupt(this.#file.name, `its refcount block ${block} is misplaced at ${hex(offset)}`);
    }
    const at = offset + Math.floor(((cluster % refcountsPerBlock) * refcountBits) / 8);
    const there = this.#cache.get(at);
    return there === undefined ? this.#cache.load(at) : ok(there);
  }
}
