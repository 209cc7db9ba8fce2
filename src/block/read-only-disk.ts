import { fail, type Result } from '../support/result.ts';
import type { Disk, Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';

/** A disk that could be written and is not to be. */
export class ReadOnlyDisk implements Disk {
  readonly readOnly = true;
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get sizeBytes(): number {
    return this.#disk.sizeBytes;
  }

  get blockBytes(): number {
    return this.#disk.blockBytes;
  }

  read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>> {
    return this.#disk.read(offset, into);
  }

  write(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.#disk.flush();
  }

  discard(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  writeZeroes(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return this.#disk.extent(offset, length);
  }

  resize(): Promise<Result<void, DiskFailure>> {
    return this.#refuse();
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#disk.close();
  }

  async #refuse(): Promise<Result<void, DiskFailure>> {
    return fail('read-only', 'the disk was opened for reading alone.');
  }
}
