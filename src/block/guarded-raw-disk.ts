/** A raw disk whose format was guessed: its first sector never becomes what the next guess would take for another. */
import { fail, ok, type Result } from '../support/result.ts';
import { type Bytes, copyBytes } from '../support/scattered-bytes.ts';
import type { Disk, Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { type ImageFormat, probedBytes } from './formats.ts';
import { readInto, writeFrom } from './scattered.ts';

export class GuardedRawDisk implements Disk {
  readonly takesScattered = true;
  readonly #disk: Disk;
  readonly #formats: readonly ImageFormat[];

  constructor(disk: Disk, formats: readonly ImageFormat[]) {
    this.#disk = disk;
    this.#formats = formats;
  }

  get sizeBytes(): number {
    return this.#disk.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#disk.readOnly;
  }

  get blockBytes(): number {
    return this.#disk.blockBytes;
  }

  read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    return readInto(this.#disk, offset, into);
  }

  async write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    if (offset >= probedBytes) return writeFrom(this.#disk, offset, from);
    // A guest can change its memory between the look and the write.
    const looked = new Uint8Array(from.length);
    copyBytes(from, looked);
    const allowed = await this.#allow(offset, looked);
    return allowed.ok ? this.#disk.write(offset, looked) : allowed;
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.#disk.flush();
  }

  discard(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    return this.#disk.discard(offset, length);
  }

  writeZeroes(offset: number, length: number, unmap: boolean): Promise<Result<void, DiskFailure>> {
    return this.#disk.writeZeroes(offset, length, unmap);
  }

  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return this.#disk.extent(offset, length);
  }

  resize(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    return this.#disk.resize(sizeBytes);
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#disk.close();
  }

  async #allow(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>> {
    const header = new Uint8Array(Math.min(probedBytes, this.sizeBytes));
    const read = await this.#disk.read(0, header);
    if (!read.ok) return read;
    header.set(from.subarray(0, Math.max(0, header.length - offset)), offset);
    const format = this.#formats.find((candidate) => candidate.probe(header));
    if (format === undefined) return ok(undefined);
    const what = `would make the disk look like an image of format ${format.name}`;
    return fail('unsupported', `a write to the first sector ${what}; say format=raw to allow it.`);
  }
}
