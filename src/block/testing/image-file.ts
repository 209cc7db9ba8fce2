import { fail, ok, type Result } from '../../support/result.ts';
import type { BlockFile, BlockFiles } from '../block-file.ts';
import type { Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

type Done = Promise<Result<void, DiskFailure>>;

/** A file in memory. Changes to `bytes` are seen by the next read. */
export class ImageFile implements BlockFile {
  readonly name: string;
  readonly readOnly = false;
  bytes: Uint8Array;
  /** What was asked for at once, at most: what the reader must have had room for. */
  largestRead = 0;
  closed = false;

  constructor(bytes: Uint8Array, name = 'image') {
    this.bytes = bytes;
    this.name = name;
  }

  async size(): Promise<Result<number, DiskFailure>> {
    return ok(this.bytes.length);
  }

  async read(offset: number, into: Uint8Array): Done {
    this.largestRead = Math.max(this.largestRead, into.length);
    const stored = this.bytes.subarray(offset, offset + into.length);
    into.set(stored);
    into.fill(0, stored.length);
    return ok(undefined);
  }

  async write(offset: number, from: Uint8Array): Done {
    if (offset + from.length > this.bytes.length) await this.truncate(offset + from.length);
    this.bytes.set(from, offset);
    return ok(undefined);
  }

  async flush(): Done {
    return ok(undefined);
  }

  async truncate(sizeBytes: number): Done {
    const grown = new Uint8Array(sizeBytes);
    grown.set(this.bytes.subarray(0, sizeBytes));
    this.bytes = grown;
    return ok(undefined);
  }

  async punchHole(offset: number, length: number): Done {
    this.bytes.fill(0, offset, offset + length);
    return ok(undefined);
  }

  async extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return ok({ kind: 'data', length });
  }

  async close(): Done {
    this.closed = true;
    return ok(undefined);
  }
}

/** Files by name. */
export function imageFiles(files: readonly ImageFile[]): BlockFiles {
  return {
    async open(path) {
      const file = files.find(({ name }) => name === path);
      return file === undefined ? fail('not-found', `there is no file ${path}.`) : ok(file);
    },
  };
}
