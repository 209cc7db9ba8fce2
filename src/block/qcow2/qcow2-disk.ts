/** A qcow2 image as a disk. */
import { ok, type Result } from '../../support/result.ts';
import type { Bytes } from '../../support/scattered-bytes.ts';
import type { Disk, Extent } from '../disk.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { checkRange } from '../range.ts';
import { roundDown, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';
import { guestExtent, readGuest } from './read.ts';
import { resizeImage } from './resize.ts';
import { writeGuest } from './write.ts';
import { zeroGuest } from './zero.ts';

export class Qcow2Disk implements Disk {
  readonly takesScattered = true;
  readonly image: Qcow2Image;
  readonly blockBytes = sectorBytes;

  constructor(image: Qcow2Image) {
    this.image = image;
  }

  get sizeBytes(): number {
    return this.image.header.sizeBytes;
  }

  get readOnly(): boolean {
    return this.image.readOnly;
  }

  async read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    const range = checkRange(this, offset, into.length);
    if (!range.ok || into.length === 0) return range;
    const lock = await this.#lockShared(offset, into.length);
    try {
      return await readGuest(this.image, offset, into);
    } finally {
      this.image.locks.release(lock);
    }
  }

  write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    return this.#change(offset, from.length, () => writeGuest(this.image, offset, from));
  }

  discard(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    return this.#change(offset, length, () => zeroGuest(this.image, offset, length, 'discard'));
  }

  writeZeroes(offset: number, length: number, unmap: boolean): Promise<Result<void, DiskFailure>> {
    return this.#change(offset, length, () => zeroGuest(this.image, offset, length, unmap ? 'unmap' : 'keep'));
  }

  flush(): Promise<Result<void, DiskFailure>> {
    return this.image.flush();
  }

  async extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const range = checkRange(this, offset, length);
    if (!range.ok) return range;
    if (length === 0) return ok({ kind: 'hole', length });
    const lock = await this.#lockShared(offset, length);
    try {
      return await guestExtent(this.image, offset, length);
    } finally {
      this.image.locks.release(lock);
    }
  }

  async resize(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    const ready = await this.image.prepareToWrite();
    return ready.ok ? resizeImage(this.image, sizeBytes) : ready;
  }

  async close(): Promise<Result<void, DiskFailure>> {
    const { image } = this;
    const results: Result<void, DiskFailure>[] = [await image.flush()];
    // What the first one gave back is counted by the second.
    if (!image.readOnly) results.push(await image.flush());
    results.push(await image.file.close());
    if (image.backing !== undefined) results.push(await image.backing.close());
    return results.find((result) => !result.ok) ?? ok(undefined);
  }

  #lockShared(offset: number, length: number) {
    const { clusterBytes } = this.image.geometry;
    return this.image.lock(roundDown(offset, clusterBytes), roundUp(offset + length, clusterBytes), false);
  }

  async #change(
    offset: number,
    length: number,
    change: () => Promise<Result<void, DiskFailure>>,
  ): Promise<Result<void, DiskFailure>> {
    const ready = await this.image.prepareToWrite();
    if (!ready.ok) return ready;
    const range = checkRange(this, offset, length);
    if (!range.ok || length === 0) return range;
    const changed = await change();
    return changed.ok && this.image.writable.freed.isLong ? this.image.flush() : changed;
  }
}
