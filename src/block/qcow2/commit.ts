/**
 * Brings changed metadata to the file in an order in which every prefix is a consistent image, at worst with clusters
 * that are counted and not used: data and refcounts, then what points to data, then the release of what nothing points
 * to any more.
 */
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';

export interface PendingWrite {
  readonly offset: number;
  /** A copy: what changes from now on is another write. */
  readonly bytes: Uint8Array;
  settle(written: boolean): void;
}

export interface DirtySource {
  /** What has changed since the last call, in one piece: nothing can change while it is collected. */
  takeDirty(): PendingWrite[];
  readonly isDirty: boolean;
}

/** Clusters that lost a reference; they may be used again once it is gone from the file, too. */
export interface FreedClusters {
  /** What was freed since the last call. The result of the commit decides over it. */
  take(): { settle(written: boolean): void };
  readonly isEmpty: boolean;
}

export class MetadataCommitter {
  readonly #file: BlockFile;
  #refcounts: DirtySource | undefined;
  #references: DirtySource | undefined;
  #freed: FreedClusters | undefined;
  #running: Promise<Result<void, DiskFailure>> | undefined;
  #next: Promise<Result<void, DiskFailure>> | undefined;

  constructor(file: BlockFile) {
    this.#file = file;
  }

  /** @param references what points to clusters: L2 tables, the L1 table */
  connect(refcounts: DirtySource, references: DirtySource, freed: FreedClusters): void {
    this.#refcounts = refcounts;
    this.#references = references;
    this.#freed = freed;
  }

  get isDirty(): boolean {
    return this.#refcounts?.isDirty === true || this.#references?.isDirty === true || this.#freed?.isEmpty === false;
  }

  /** Resolves when all that had changed before the call is on stable storage, data included. Calls share the work. */
  commit(): Promise<Result<void, DiskFailure>> {
    if (this.#running === undefined && this.#next === undefined) return this.#start();
    this.#next ??= (this.#running as Promise<unknown>).then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<Result<void, DiskFailure>> {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<Result<void, DiskFailure>> {
    // All in one go: what a captured table points to has its count among the captured ones, or in the file already.
    const freed = this.#freed?.take();
    const references = this.#references?.takeDirty() ?? [];
    const refcounts = this.#refcounts?.takeDirty() ?? [];
    let result = await this.#write(refcounts);
    if (references.length > 0) {
      if (result.ok) result = await this.#file.flush();
      if (result.ok) result = await this.#write(references);
      else for (const write of references) write.settle(false);
    }
    if (result.ok) result = await this.#file.flush();
    freed?.settle(result.ok);
    return result;
  }

  async #write(writes: readonly PendingWrite[]): Promise<Result<void, DiskFailure>> {
    let result: Result<void, DiskFailure> = ok(undefined);
    await Promise.all(
      writes.map(async (write) => {
        const written = await this.#file.write(write.offset, write.bytes);
        write.settle(written.ok);
        if (!written.ok) result = written;
      }),
    );
    return result;
  }
}
