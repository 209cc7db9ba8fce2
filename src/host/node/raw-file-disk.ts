/** A raw image in a file of this host. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Disk, type Extent, sectorBytes } from '../../block/disk.ts';
import type { DiskFailure, DiskFailureKind } from '../../block/disk-failure.ts';
import { fail, ok, type Result } from '../../support/result.ts';

type Outcome = Result<void, DiskFailure>;

const kinds: Readonly<Record<string, DiskFailureKind>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  ENOENT: 'not-found',
  EROFS: 'read-only',
};
const zeroBytes = 1 << 20;

class RawFileDisk implements Disk {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockBytes = sectorBytes;
  readonly #file: FileHandle;

  constructor(file: FileHandle, sizeBytes: number, readOnly: boolean) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.readOnly = readOnly;
  }

  read(offset: number, into: Uint8Array): Promise<Outcome> {
    return this.#do(offset, into.length, false, async () => {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await this.#file.read(into, done, into.length - done, offset + done);
        // Somebody has made the file shorter.
        if (bytesRead === 0) into.fill(0, done);
        done = bytesRead === 0 ? into.length : done + bytesRead;
      }
    });
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return this.#do(offset, from.length, true, () => this.#writeAll(offset, from));
  }

  flush(): Promise<Outcome> {
    return this.#do(0, 0, false, () => this.#file.datasync());
  }

  /** Keeps the old content, which is allowed. */
  discard(offset: number, length: number): Promise<Outcome> {
    return this.#do(offset, length, true, () => Promise.resolve());
  }

  writeZeroes(offset: number, length: number): Promise<Outcome> {
    return this.#do(offset, length, true, async () => {
      const zeroes = new Uint8Array(Math.min(length, zeroBytes));
      for (let at = 0; at < length; at += zeroes.length)
        await this.#writeAll(offset + at, zeroes.subarray(0, Math.min(zeroes.length, length - at)));
    });
  }

  extent(_offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return Promise.resolve(ok({ kind: 'data', length }));
  }

  resize(): Promise<Outcome> {
    return Promise.resolve(fail('unsupported', 'a disk that is in use cannot be resized'));
  }

  close(): Promise<Outcome> {
    return this.#do(0, 0, false, async () => {
      if (!this.readOnly) await this.#file.datasync();
      await this.#file.close();
    });
  }

  async #writeAll(offset: number, from: Uint8Array): Promise<void> {
    for (let done = 0; done < from.length; ) {
      const { bytesWritten } = await this.#file.write(from, done, from.length - done, offset + done);
      done += bytesWritten;
    }
  }

  async #do(offset: number, length: number, writes: boolean, act: () => Promise<void>): Promise<Outcome> {
    if (offset + length > this.sizeBytes) return fail('range', `${length} bytes at ${offset} leave the disk`);
    if (writes && this.readOnly) return fail('read-only', 'the disk is read-only');
    try {
      await act();
      return ok(undefined);
    } catch (error) {
      return failureOf(error);
    }
  }
}

function failureOf(error: unknown): { ok: false; error: DiskFailure } {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return fail(kinds[code] ?? 'io', message);
}

/** Opens a file whose bytes are the disk's. */
export async function openRawFile(path: string, readOnly: boolean): Promise<Result<Disk, DiskFailure>> {
  try {
    const file = await open(path, readOnly ? 'r' : 'r+');
    const status = await file.stat();
    if (!status.isFile() || status.size < sectorBytes) {
      await file.close();
      return fail('unsupported', status.isFile() ? 'it is shorter than a sector' : 'it is not a regular file');
    }
    return ok(new RawFileDisk(file, Math.floor(status.size / sectorBytes) * sectorBytes, readOnly));
  } catch (error) {
    return failureOf(error);
  }
}
