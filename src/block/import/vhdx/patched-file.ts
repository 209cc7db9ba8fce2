import { fail, ok, type Result } from '../../../support/result.ts';
import type { BlockFile } from '../../block-file.ts';
import type { Extent } from '../../disk.ts';
import type { DiskFailure } from '../../disk-failure.ts';

/** A change to a range of a file. Without `data`: zeroes. */
export interface Patch {
  readonly offset: number;
  readonly bytes: number;
  readonly data?: Uint8Array;
}

/** A file as it would be with changes applied in order; only for reading. */
export class PatchedFile implements BlockFile {
  readonly name: string;
  readonly readOnly = true;
  readonly #file: BlockFile;
  readonly #patches: readonly Patch[];
  readonly #fileBytes: number;

  constructor(file: BlockFile, patches: readonly Patch[], fileBytes: number) {
    this.name = file.name;
    this.#file = file;
    this.#patches = patches;
    this.#fileBytes = fileBytes;
  }

  size(): Promise<Result<number, DiskFailure>> {
    return Promise.resolve(ok(this.#fileBytes));
  }

  async read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>> {
    const read = await this.#file.read(offset, into);
    if (!read.ok) return read;
    for (const patch of this.#patches) {
      const start = Math.max(patch.offset, offset);
      const end = Math.min(patch.offset + patch.bytes, offset + into.length);
      if (start >= end) continue;
      const target = into.subarray(start - offset, end - offset);
      if (patch.data === undefined) target.fill(0);
      else target.set(patch.data.subarray(start - patch.offset, end - patch.offset));
    }
    return read;
  }

  extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return Promise.resolve(ok({ kind: 'data', length }));
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return Promise.resolve(ok(undefined));
  }

  write(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  truncate(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  punchHole(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#file.close();
  }

  #refuse(): Promise<Result<void, DiskFailure>> {
    return Promise.resolve(fail('read-only', `the image ${this.name} has changes in memory and is only read.`));
  }
}
