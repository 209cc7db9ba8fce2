/** A layer for what a guest writes and nobody keeps. */
import { ok, type Result } from '../support/result.ts';
import type { Bytes } from '../support/scattered-bytes.ts';
import type { BlockFile, Codecs } from './block-file.ts';
import type { Disk, Extent } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { createQcow2 } from './qcow2/create.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { readInto, writeFrom } from './scattered.ts';

/**
 * @param base is read, and closed with the overlay
 * @param file empty; it goes away with the process, so nothing of it is brought to stable storage
 */
export async function overlayOver(base: Disk, file: BlockFile, codecs: Codecs): Promise<Result<Disk, DiskFailure>> {
  const image = await createQcow2(new UnsafeFile(file), codecs, { sizeBytes: base.sizeBytes });
  if (!image.ok) return image;
  image.value.backing = base;
  return ok(new Qcow2Disk(image.value));
}

/** A file whose content need not outlive the process. */
class UnsafeFile implements BlockFile {
  readonly takesScattered = true;
  readonly #file: BlockFile;
  readonly readOnly = false;

  constructor(file: BlockFile) {
    this.#file = file;
  }

  get name(): string {
    return this.#file.name;
  }

  size(): Promise<Result<number, DiskFailure>> {
    return this.#file.size();
  }

  read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    return readInto(this.#file, offset, into);
  }

  write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    return writeFrom(this.#file, offset, from);
  }

  async flush(): Promise<Result<void, DiskFailure>> {
    return ok(undefined);
  }

  truncate(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    return this.#file.truncate(sizeBytes);
  }

  punchHole(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    return this.#file.punchHole(offset, length);
  }

  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    return this.#file.extent(offset, length);
  }

  close(): Promise<Result<void, DiskFailure>> {
    return this.#file.close();
  }
}
