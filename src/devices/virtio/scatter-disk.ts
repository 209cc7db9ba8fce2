/** Reads and writes of a disk that are scattered over guest RAM: whole sectors within it, in bounded pieces. */
import { type Disk, sectorBytes } from '../../block/disk.ts';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { readInto, writeFrom } from '../../block/scattered.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import type { ScatteredBytes } from '../../support/scattered-bytes.ts';

/** What is moved at once: a guest may ask for gigabytes in one request. */
const sliceBytes = 1 << 20;

type Done = Promise<Result<void, DiskFailure>>;

export class ScatterDisk {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  read(offset: number, into: ScatteredBytes): Done {
    return this.#inSlices(offset, into, readInto);
  }

  async write(offset: number, from: ScatteredBytes): Done {
    if (this.#disk.readOnly) return fail('read-only', 'the disk is read-only');
    return this.#inSlices(offset, from, writeFrom);
  }

  /** Whole sectors within the disk, or nothing at all. */
  async #inSlices(offset: number, bytes: ScatteredBytes, move: typeof readInto): Done {
    const { length } = bytes;
    if (length % sectorBytes !== 0) return fail('range', `${length} bytes are not whole sectors`);
    if (offset + length > this.#disk.sizeBytes) return fail('range', `${length} bytes at ${offset} leave the disk`);
    for (let at = 0; at < length; at += sliceBytes) {
      const done = await move(this.#disk, offset + at, bytes.subarray(at, at + sliceBytes));
      if (!done.ok) return done;
    }
    return ok(undefined);
  }
}
