/** A disk that could be written, for who must not. */
import type { Result } from '../support/result.ts';
import type { Bytes } from '../support/scattered-bytes.ts';
import type { Disk, Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { refuseWrite } from './range.ts';
import { readInto } from './scattered.ts';

export class ReadOnlyDisk implements Disk {
  readonly takesScattered = true;
  readonly readOnly = true;
  readonly #disk: Disk;
  readonly #name: string;

  constructor(disk: Disk, name: string) {
    this.#disk = disk;
    this.#name = name;
  }

  get sizeBytes(): number {
    return this.#disk.sizeBytes;
  }

  get blockBytes(): number {
    return this.#disk.blockBytes;
  }

  read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    return readInto(this.#disk, offset, into);
  }

  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return this.#disk.extent(offset, length);
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.#disk.flush();
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#disk.close();
  }

  async write(): Promise<Result<void, DiskFailure>> {
    return refuseWrite(this.#name);
  }

  async discard(): Promise<Result<void, DiskFailure>> {
    return refuseWrite(this.#name);
  }

  async writeZeroes(): Promise<Result<void, DiskFailure>> {
    return refuseWrite(this.#name);
  }

  async resize(): Promise<Result<void, DiskFailure>> {
    return refuseWrite(this.#name);
  }
}
