/** Where the clusters of a disk lie: the L1 table, and the L2 tables through a cache. */
import { qcow2EntryHigh } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { DirtySource, PendingWrite } from './commit.ts';
import { type Cluster, decodeEntry, hole } from './entry.ts';
import { corrupt, hex } from './failures.ts';
import type { Geometry } from './geometry.ts';
import type { L1Table } from './l1-table.ts';
import type { Slice, TableCache } from './table-cache.ts';

/** Bytes in a row that are found in the same way. */
export interface Run extends Cluster {
  /** From the asked offset on. `host` is where that byte lies, also within a cluster. */
  readonly length: number;
}

export interface MapParts {
  readonly name: string;
  readonly version: number;
  readonly geometry: Geometry;
  readonly cache: TableCache;
  readonly l1: L1Table;
  /** Behind the last cluster of the file. */
  readonly endBytes: () => number;
}

export class ClusterMap implements DirtySource {
  readonly #parts: MapParts;
  #l1: L1Table;

  constructor(parts: MapParts) {
    this.#parts = parts;
    this.#l1 = parts.l1;
  }

  get l1(): L1Table {
    return this.#l1;
  }

  /** Puts another L1 table in place, as growing and snapshots do. */
  useL1(l1: L1Table): void {
    this.#l1 = l1;
  }

  get cache(): TableCache {
    return this.#parts.cache;
  }

  get isDirty(): boolean {
    return this.#l1.isDirty || this.#parts.cache.isDirty;
  }

  takeDirty(): PendingWrite[] {
    return [...this.#parts.cache.takeDirty(), ...this.#l1.takeDirty()];
  }

  /** What is known of the bytes from `offset` on, at most up to `end`. */
  async run(offset: number, end: number): Promise<Result<Run, DiskFailure>> {
    const table = this.tableAt(offset);
    if (!table.ok) return table;
    if (table.value === 0) return ok({ ...hole, length: this.#holeBytes(offset, end) });
    const at = table.value + this.#entryIndex(offset) * this.#parts.geometry.l2EntryBytes;
    let slice = this.#parts.cache.get(at);
    if (slice === undefined) {
      const loaded = await this.#parts.cache.load(at);
      if (!loaded.ok) return loaded;
      slice = loaded.value;
    }
    return this.#runIn(slice, at - slice.offset, offset, end);
  }

  /** Everything known of a range, neighbours of a kind in one. Holes and zeroes come in one run each, too. */
  async runs(offset: number, end: number): Promise<Result<Run[], DiskFailure>> {
    const runs: Run[] = [];
    for (let at = offset; at < end; ) {
      const run = await this.run(at, end);
      if (!run.ok) return run;
      at += run.value.length;
      const last = runs.at(-1);
      if (last !== undefined && follows(last, last.length, run.value)) {
        runs[runs.length - 1] = { ...last, length: last.length + run.value.length };
      } else {
        runs.push(run.value);
      }
    }
    return ok(runs);
  }

  /** Where the L2 table for a guest offset lies; 0 if there is none. */
  tableAt(offset: number): Result<number, DiskFailure> {
    const { name, geometry } = this.#parts;
    const table = this.#l1.tableOffset(Math.floor(offset / geometry.l2CoverageBytes));
    if (table % geometry.clusterBytes === 0 && table + geometry.clusterBytes <= this.#parts.endBytes())
      return ok(table);
    return table === 0 ? ok(0) : corrupt(name, `the L2 table for offset ${hex(offset)} is misplaced at ${hex(table)}`);
  }

  /** Changes entries of tables that are this image's own. `entry` gives the halves of the index-th. */
  async setEntries(
    offset: number,
    count: number,
    entry: (index: number) => { readonly high: number; readonly low: number },
  ): Promise<Result<void, DiskFailure>> {
    const { geometry, cache } = this.#parts;
    for (let index = 0; index < count; index++) {
      const guest = offset + index * geometry.clusterBytes;
      const table = this.tableAt(guest);
      if (!table.ok) return table;
      const at = table.value + this.#entryIndex(guest) * geometry.l2EntryBytes;
      const slice = cache.get(at);
      const loaded = slice === undefined ? await cache.load(at) : ok(slice);
      if (!loaded.ok) return loaded;
      const { high, low } = entry(index);
      loaded.value.view.setUint32(at - loaded.value.offset, high);
      loaded.value.view.setUint32(at - loaded.value.offset + 4, low);
      cache.markDirty(loaded.value);
    }
    return ok(undefined);
  }

  #runIn(slice: Slice, entryAt: number, offset: number, end: number): Result<Run, DiskFailure> {
    const { clusterBytes, l2EntryBytes } = this.#parts.geometry;
    const first = this.#decode(slice, entryAt, offset);
    if (!first.ok) return first;
    const inCluster = offset % clusterBytes;
    let length = Math.min(clusterBytes - inCluster, end - offset);
    for (let at = entryAt + l2EntryBytes; at < slice.bytes.length && offset + length < end; at += l2EntryBytes) {
      const next = this.#decode(slice, at, offset + length);
      // A contradiction behind the run is found when somebody asks for it.
      if (!next.ok || !follows(first.value, inCluster + length, next.value)) break;
      length = Math.min(length + clusterBytes, end - offset);
    }
    const { kind, host } = first.value;
    return ok({ ...first.value, host: host === 0 || kind === 'compressed' ? host : host + inCluster, length });
  }

  #decode(slice: Slice, at: number, offset: number): Result<Cluster, DiskFailure> {
    const { name, version, geometry } = this.#parts;
    const cluster = decodeEntry(slice.view.getUint32(at), slice.view.getUint32(at + 4), version, geometry.clusterBits);
    if (typeof cluster === 'string') return corrupt(name, `at offset ${hex(offset)} of the disk it has ${cluster}`);
    // Compressed data may end in a sector that the file has not to its end.
    const needed = cluster.kind === 'compressed' ? cluster.host + 1 : cluster.host + cluster.hostBytes;
    if (cluster.host === 0 || needed <= this.#parts.endBytes()) return ok(cluster);
    return corrupt(
      name,
      `the data for offset ${hex(offset)} of the disk lies at ${hex(cluster.host)}, outside the file`,
    );
  }

  #entryIndex(offset: number): number {
    const { clusterBytes, l2Entries } = this.#parts.geometry;
    return Math.floor(offset / clusterBytes) % l2Entries;
  }

  #holeBytes(offset: number, end: number): number {
    const { l2CoverageBytes } = this.#parts.geometry;
    return Math.min(end, (Math.floor(offset / l2CoverageBytes) + 1) * l2CoverageBytes) - offset;
  }
}

/** Whether `next`, `distance` bytes behind the start of `first`, goes on as that began. */
function follows(first: Cluster, distance: number, next: Cluster): boolean {
  if (first.kind !== next.kind || first.own !== next.own || first.kind === 'compressed') return false;
  return first.host === 0 ? next.host === 0 : next.host === first.host + distance;
}

/** The entry of a standard cluster that nobody else uses. */
export function ownEntry(host: number): { high: number; low: number } {
  return { high: (Math.floor(host / 2 ** 32) | qcow2EntryHigh.copied) >>> 0, low: host % 2 ** 32 };
}
