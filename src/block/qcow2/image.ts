/** An open qcow2 image: its parts, and what they share. What is done with it is in the files beside this one. */
import { qcow2Header as field, qcow2Incompatible } from '../../spec/qcow2.ts';
import { type Err, ok, type Result } from '../../support/result.ts';
import type { BlockFile, Codecs } from '../block-file.ts';
import type { Disk } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { refuseWrite } from '../range.ts';
import { type RangeLock, RangeLocks } from '../range-locks.ts';
import { ClusterMap } from './cluster-map.ts';
import { MetadataCommitter } from './commit.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import { corrupt } from './failures.ts';
import { FreedList } from './freed-clusters.ts';
import { type Geometry, geometryOf, roundUp } from './geometry.ts';
import { encodeFixedHeader, type Header, headerBytesOf, parseHeader } from './header.ts';
import { L1Table } from './l1-table.ts';
import { OwnTables } from './own-tables.ts';
import { RefcountTable } from './refcount-table.ts';
import { Refcounts } from './refcounts.ts';
import { MetadataRegions } from './regions.ts';
import { encodeSnapshots, loadSnapshots, type Snapshot } from './snapshot/snapshot-table.ts';
import { TableCache } from './table-cache.ts';

/** L2 tables for 128 GiB in clusters of 64 KiB; what a disk does not use takes nothing. */
const l2CacheBytes = 16 * 2 ** 20;
const refcountCacheBytes = 4 * 2 ** 20;

/** What only an image that is written has. */
export interface WritableParts {
  readonly refcountTable: RefcountTable;
  readonly refcounts: Refcounts;
  readonly freed: FreedList;
  readonly committer: MetadataCommitter;
  readonly regions: MetadataRegions;
}

export interface ImageOptions {
  readonly file: BlockFile;
  readonly codecs: Codecs;
  readonly header: Header;
  readonly readOnly: boolean;
  readonly l2CacheBytes?: number;
}

/** Reads the header of the image in `file`. */
export async function readHeader(file: BlockFile): Promise<Result<Header, DiskFailure>> {
  const size = await file.size();
  if (!size.ok) return size;
  const start = new Uint8Array(Math.min(field.fullBytes, size.value));
  const read = await file.read(0, start);
  if (!read.ok) return read;
  const bytes = new Uint8Array(Math.min(Math.max(headerBytesOf(start), start.length), size.value));
  const whole = await file.read(0, bytes);
  return whole.ok ? parseHeader(file.name, bytes) : whole;
}

export class Qcow2Image {
  readonly file: BlockFile;
  readonly codecs: Codecs;
  readonly geometry: Geometry;
  readonly locks = new RangeLocks();
  readonly map: ClusterMap;
  readonly compressed: CompressedClusters;
  readonly ownTables = new OwnTables(this);
  /** The disk below; whoever opens the image opens it, too. */
  backing: Disk | undefined;
  #header: Header;
  readonly #parts: WritableParts | undefined;
  #usable: Result<void, DiskFailure> = ok(undefined);
  #prepared: Promise<Result<void, DiskFailure>> | undefined;

  private constructor(options: ImageOptions, geometry: Geometry, map: ClusterMap, parts: WritableParts | undefined) {
    this.file = options.file;
    this.codecs = options.codecs;
    this.#header = options.header;
    this.geometry = geometry;
    this.map = map;
    this.compressed = new CompressedClusters(
      options.file,
      options.codecs,
      options.header.compressionType,
      geometry.clusterBytes,
    );
    this.#parts = parts;
  }

  static async open(options: ImageOptions): Promise<Result<Qcow2Image, DiskFailure>> {
    const { file, header, readOnly } = options;
    const geometry = geometryOf(header.clusterBits, header.refcountOrder, false);
    const fileBytes = await file.size();
    if (!fileBytes.ok) return fileBytes;
    const l1 = await L1Table.load(file, header.l1TableOffset, header.l1Size);
    if (!l1.ok) return l1;
    const committer = new MetadataCommitter(file);
    const limits = { clusterBytes: geometry.clusterBytes, commit: () => committer.commit() };
    const cache = new TableCache(file, { ...limits, limitBytes: options.l2CacheBytes ?? l2CacheBytes });
    const mapParts = { name: file.name, version: header.version, geometry, cache, l1: l1.value };
    if (readOnly) {
      const end = roundUp(fileBytes.value, geometry.clusterBytes);
      return ok(new Qcow2Image(options, geometry, new ClusterMap({ ...mapParts, endBytes: () => end }), undefined));
    }
    if ((header.incompatible & qcow2Incompatible.corrupt) !== 0n) {
      return corrupt(file.name, 'it is marked so; it can be read, and "corbel image check --repair all" may mend it');
    }
    const refcountTable = await RefcountTable.load(file, header);
    if (!refcountTable.ok) return refcountTable;
    const regions = new MetadataRegions(geometry.clusterBytes);
    const freed = new FreedList();
    const refcounts = new Refcounts({
      file,
      geometry,
      table: refcountTable.value,
      cache: new TableCache(file, { ...limits, limitBytes: refcountCacheBytes }),
      regions,
      freed,
      fileBytes: fileBytes.value,
    });
    const map = new ClusterMap({ ...mapParts, endBytes: () => refcounts.endBytes });
    committer.connect(refcounts, map, freed);
    const parts = { refcountTable: refcountTable.value, refcounts, freed, committer, regions };
    const image = new Qcow2Image(options, geometry, map, parts);
    image.#markRegions(parts);
    const snapshots = await loadSnapshots(file, header);
    if (!snapshots.ok) return snapshots;
    image.markSnapshots(snapshots.value.snapshots, snapshots.value.tableBytes);
    return ok(image);
  }

  get name(): string {
    return this.file.name;
  }

  get readOnly(): boolean {
    return this.#parts === undefined;
  }

  get header(): Header {
    return this.#header;
  }

  /** What changes the image works with. Asked for where the image is known to be writable only. */
  get writable(): WritableParts {
    if (this.#parts === undefined) throw new Error(`${this.name} was opened for reading`);
    return this.#parts;
  }

  /** Resolves with a lock on guest offsets once it is held. Its holder releases it. */
  async lock(start: number, end: number, exclusive: boolean): Promise<RangeLock> {
    const lock = this.locks.acquire(start, end, exclusive);
    if (lock.granted !== undefined) await lock.granted;
    return lock;
  }

  /** To be awaited before each change. Fails for ever once the image was found to be damaged. */
  prepareToWrite(): Promise<Result<void, DiskFailure>> {
    if (this.readOnly) return Promise.resolve(refuseWrite(this.name));
    this.#prepared ??= this.#clearAutoclear();
    return this.#usable.ok ? this.#prepared : Promise.resolve(this.#usable);
  }

  /** Writes the fields of the header that belong to `changes`. They are durable afterwards. */
  async changeHeader(changes: Partial<Header>): Promise<Result<void, DiskFailure>> {
    const header = { ...this.#header, ...changes };
    for (const { offset, bytes } of changedFields(this.#header, header)) {
      const written = await this.file.write(offset, bytes);
      if (!written.ok) return written;
    }
    this.#header = header;
    return this.file.flush();
  }

  /** Refuses further changes, and marks the image for whoever opens it next. @returns `failure` */
  async markCorrupt(failure: Err<DiskFailure>): Promise<Err<DiskFailure>> {
    if (this.readOnly || !this.#usable.ok) return failure;
    this.#usable = failure;
    // Version 2 has no place for the mark. That it cannot be written changes nothing.
    if (this.#header.version > 2) {
      await this.changeHeader({ incompatible: this.#header.incompatible | qcow2Incompatible.corrupt });
    }
    return failure;
  }

  /** The image in memory is no longer what the file should become: nothing more may be written. @returns `failure` */
  refuseFurther<T>(failure: Result<T, DiskFailure>): Result<T, DiskFailure> {
    if (!failure.ok) this.#usable = failure;
    return failure;
  }

  /** Keeps data away from where the tables of snapshots lie. */
  markSnapshots(snapshots: readonly Snapshot[], tableBytes = encodeSnapshots(snapshots).length): void {
    const { clusterBytes } = this.geometry;
    const { regions } = this.writable;
    regions.setRegion('the snapshot table', this.#header.snapshotsOffset, roundUp(tableBytes, clusterBytes));
    regions.setRegions(
      "a snapshot's L1 table",
      snapshots.map(({ l1TableOffset, l1Size }) => ({
        offset: l1TableOffset,
        length: roundUp(l1Size * 8, clusterBytes),
      })),
    );
  }

  /** Makes an image that is only read show a snapshot in place of the disk as it is. */
  showSnapshot(l1: L1Table, sizeBytes: number): void {
    if (!this.readOnly) throw new Error(`${this.name} was opened for writing`);
    this.map.useL1(l1);
    this.#header = { ...this.#header, sizeBytes };
  }

  /** Brings all to stable storage, and gives back what nobody uses any more. */
  async flush(): Promise<Result<void, DiskFailure>> {
    if (this.#parts === undefined) return ok(undefined);
    const committed = await this.#parts.committer.commit();
    const applied = committed.ok ? await this.#parts.refcounts.applyFreed() : committed;
    return !applied.ok && applied.error.kind === 'corrupt' ? this.markCorrupt(applied) : applied;
  }

  /** Other programs' bits that this one's changes would make untrue. */
  async #clearAutoclear(): Promise<Result<void, DiskFailure>> {
    const cleared = this.#header.autoclear === 0n ? ok(undefined) : await this.changeHeader({ autoclear: 0n });
    if (!cleared.ok) this.#prepared = undefined;
    return cleared;
  }

  #markRegions({ regions, refcountTable }: WritableParts): void {
    const { clusterBytes } = this.geometry;
    const { l1TableOffset, l1Size } = this.#header;
    regions.setRegion('the header', 0, clusterBytes);
    regions.setRegion('the L1 table', l1TableOffset, roundUp(l1Size * 8, clusterBytes));
    regions.setRegion('the refcount table', refcountTable.offset, refcountTable.clusters * clusterBytes);
    const end = this.writable.refcounts.endBytes;
    const valid = (offset: number): boolean => offset !== 0 && offset % clusterBytes === 0 && offset < end;
    for (let index = 0; index < this.map.l1.entries; index++) {
      const offset = this.map.l1.tableOffset(index);
      if (valid(offset)) regions.addL2Table(offset);
    }
    for (let index = 0; index < refcountTable.usedEntries; index++) {
      const offset = refcountTable.blockOffset(index);
      if (valid(offset)) regions.addRefcountBlock(offset);
    }
  }
}

/** Fields that have to change together lie together, and are written together. */
function changedFields(before: Header, after: Header): { offset: number; bytes: Uint8Array }[] {
  const groups = [
    { from: field.size, to: field.cryptMethod, of: ['sizeBytes'] },
    { from: field.l1Size, to: field.refcountTableOffset, of: ['l1Size', 'l1TableOffset'] },
    { from: field.snapshotCount, to: field.version2Bytes, of: ['snapshotCount', 'snapshotsOffset'] },
    { from: field.incompatibleFeatures, to: field.compatibleFeatures, of: ['incompatible'] },
    { from: field.autoclearFeatures, to: field.refcountOrder, of: ['autoclear'] },
  ] as const;
  const bytes = encodeFixedHeader(after);
  return groups
    .filter(({ of }) => of.some((name) => before[name] !== after[name]))
    .map(({ from, to }) => ({ offset: from, bytes: bytes.subarray(from, to) }));
}
