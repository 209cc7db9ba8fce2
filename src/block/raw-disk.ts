/** A raw image: the disk's bytes as they are. */
import { ok, type Result } from '../support/result.ts';
import type { Bytes } from '../support/scattered-bytes.ts';
import type { BlockFile } from './block-file.ts';
import { type Disk, type Extent, sectorBytes } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { checkRange, refuseWrite } from './range.ts';
import { readInto, writeFrom } from './scattered.ts';
import { zeroPieces } from './zeroes.ts';

/** A file whose length is no multiple of a sector ends with zeroes up to the next one. */
export async function openRaw(file: BlockFile, readOnly: boolean): Promise<Result<Disk, DiskFailure>> {
  const size = await file.size();
  if (!size.ok) return size;
  return ok(new RawDisk(file, Math.ceil(size.value / sectorBytes) * sectorBytes, readOnly || file.readOnly));
}

class RawDisk implements Disk {
  readonly takesScattered = true;
  readonly blockBytes = sectorBytes;
  readonly readOnly: boolean;
  readonly #file: BlockFile;
  #sizeBytes: number;

  constructor(file: BlockFile, sizeBytes: number, readOnly: boolean) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    const range = checkRange(this, offset, into.length);
    return range.ok ? readInto(this.#file, offset, into) : range;
  }

  async write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    const range = this.#checkWrite(offset, from.length);
    return range.ok ? writeFrom(this.#file, offset, from) : range;
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.#file.flush();
  }

  async discard(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    const range = this.#checkWrite(offset, length);
    return range.ok ? this.#file.punchHole(offset, length) : range;
  }

  async writeZeroes(offset: number, length: number, unmap: boolean): Promise<Result<void, DiskFailure>> {
    const range = this.#checkWrite(offset, length);
    if (!range.ok) return range;
    if (unmap) return this.#file.punchHole(offset, length);
    // What is stored stays stored; a hole reads as zeroes already.
    for (let at = offset; at < offset + length; ) {
      const extent = await this.#file.extent(at, offset + length - at);
      if (!extent.ok) return extent;
      if (extent.value.kind === 'data') {
        for (const piece of zeroPieces(extent.value.length)) {
          const written = await this.#file.write(at + piece.offset, piece.bytes);
          if (!written.ok) return written;
        }
      }
      at += extent.value.length;
    }
    return ok(undefined);
  }

  async extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const range = checkRange(this, offset, length);
    return range.ok ? this.#file.extent(offset, length) : range;
  }

  async resize(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    if (this.readOnly) return refuseWrite(this.#file.name);
    const resized = await this.#file.truncate(sizeBytes);
    if (resized.ok) this.#sizeBytes = Math.ceil(sizeBytes / sectorBytes) * sectorBytes;
    return resized;
  }

  async close(): Promise<Result<void, DiskFailure>> {
    const flushed = await this.#file.flush();
    const closed = await this.#file.close();
    return flushed.ok ? closed : flushed;
  }

  #checkWrite(offset: number, length: number): Result<void, DiskFailure> {
    return this.readOnly ? refuseWrite(this.#file.name) : checkRange(this, offset, length);
  }
}
