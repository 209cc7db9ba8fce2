/** Tables of an image in memory, a bounded number of slices of them: L2 tables and refcount blocks. */
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { DirtySource, PendingWrite } from './commit.ts';
import { viewOf } from './header.ts';

/** As much as costs little to read at once; tables of small clusters are smaller. */
const sliceBytes = 4096;

export class Slice {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** False once it was thrown out: changes to it would be lost. */
  live = true;
  /** Writes of it under way. */
  writing = 0;

  constructor(offset: number, bytes: Uint8Array) {
    this.offset = offset;
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}

export interface CacheLimits {
  readonly clusterBytes: number;
  readonly limitBytes: number;
  /** Writes what is dirty, so that there is something to throw out. */
  readonly commit: () => Promise<Result<void, DiskFailure>>;
}

export class TableCache implements DirtySource {
  readonly sliceBytes: number;
  readonly #file: BlockFile;
  readonly #most: number;
  /** By offset, the one used longest ago first. */
  readonly #slices = new Map<number, Slice>();
  readonly #dirty = new Set<Slice>();
  readonly #loading = new Map<number, Promise<Result<Slice, DiskFailure>>>();
  readonly #commit: () => Promise<Result<void, DiskFailure>>;
  #last: Slice | undefined;

  constructor(file: BlockFile, { clusterBytes, limitBytes, commit }: CacheLimits) {
    this.#file = file;
    this.sliceBytes = Math.min(sliceBytes, clusterBytes);
    this.#most = Math.max(2, Math.floor(limitBytes / this.sliceBytes));
    this.#commit = commit;
  }

  /** The slice that holds the byte at `offset` of the file, if it is in memory. */
  get(offset: number): Slice | undefined {
    const start = offset - (offset % this.sliceBytes);
    if (this.#last?.offset === start && this.#last.live) return this.#last;
    const slice = this.#slices.get(start);
    if (slice === undefined) return undefined;
    this.#slices.delete(start);
    this.#slices.set(start, slice);
    this.#last = slice;
    return slice;
  }

  /** The same, read if it has to be. It is live when the caller goes on. */
  async load(offset: number): Promise<Result<Slice, DiskFailure>> {
    for (;;) {
      const there = this.get(offset);
      if (there !== undefined) return ok(there);
      const start = offset - (offset % this.sliceBytes);
      let loading = this.#loading.get(start);
      if (loading === undefined) {
        loading = this.#read(start).finally(() => this.#loading.delete(start));
        this.#loading.set(start, loading);
      }
      const loaded = await loading;
      if (!loaded.ok || loaded.value.live) return loaded;
    }
  }

  /** The caller has changed `slice`, which was live. */
  markDirty(slice: Slice): void {
    this.#dirty.add(slice);
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Forgets what lies in a range of the file that changes its use, changes included. */
  forget(start: number, end: number): void {
    for (let at = start; at < end; at += this.sliceBytes) {
      const slice = this.#slices.get(at);
      if (slice !== undefined) this.#drop(slice);
    }
  }

  takeDirty(): PendingWrite[] {
    const writes = [...this.#dirty].map((slice): PendingWrite => {
      slice.writing++;
      return {
        offset: slice.offset,
        bytes: slice.bytes.slice(),
        settle: (written) => {
          slice.writing--;
          if (!written && slice.live) this.#dirty.add(slice);
        },
      };
    });
    this.#dirty.clear();
    return writes;
  }

  async #read(start: number): Promise<Result<Slice, DiskFailure>> {
    const room = await this.#makeRoom();
    if (!room.ok) return room;
    const bytes = new Uint8Array(this.sliceBytes);
    const read = await this.#file.read(start, bytes);
    if (!read.ok) return read;
    const slice = new Slice(start, bytes);
    this.#slices.set(start, slice);
    return ok(slice);
  }

  async #makeRoom(): Promise<Result<void, DiskFailure>> {
    if (this.#slices.size < this.#most) return ok(undefined);
    if (this.#evict()) return ok(undefined);
    const committed = await this.#commit();
    if (committed.ok) this.#evict();
    return committed;
  }

  #evict(): boolean {
    for (const slice of this.#slices.values()) {
      if (slice.writing > 0 || this.#dirty.has(slice)) continue;
      this.#drop(slice);
      return true;
    }
    return false;
  }

  #drop(slice: Slice): void {
    slice.live = false;
    this.#slices.delete(slice.offset);
    this.#dirty.delete(slice);
  }
}
