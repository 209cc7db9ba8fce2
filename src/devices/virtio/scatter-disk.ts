/** Reads and writes of a disk that are scattered over guest RAM: in one piece for the disk, and in bounded ones. */
import { type Disk, sectorBytes } from '../../block/disk.ts';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import type { GuestBuffer } from './guest-buffer.ts';

/** What is moved at once: a guest may ask for gigabytes in one request. */
const sliceBytes = 1 << 20;
/** Buffers that are kept for the next request. */
const maxSpare = 8;

export class ScatterDisk {
  readonly #disk: Disk;
  /** Buffers of `sliceBytes` or less, the sizes powers of two. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  read(offset: number, into: GuestBuffer): Promise<Result<void, DiskFailure>> {
    return this.#inSlices(offset, into, (at, part) => this.#readSlice(at, part));
  }

  async write(offset: number, from: GuestBuffer): Promise<Result<void, DiskFailure>> {
    if (this.#disk.readOnly) return fail('read-only', 'the disk is read-only');
    return this.#inSlices(offset, from, (at, part) => this.#writeSlice(at, part));
  }

  /** Whole sectors within the disk, or nothing at all. */
  async #inSlices(
    offset: number,
    buffer: GuestBuffer,
    move: (offset: number, part: GuestBuffer) => Promise<Result<void, DiskFailure>>,
  ): Promise<Result<void, DiskFailure>> {
    const { length } = buffer;
    if (length % sectorBytes !== 0) return fail('range', `${length} bytes are not whole sectors`);
    if (offset + length > this.#disk.sizeBytes) return fail('range', `${length} bytes at ${offset} leave the disk`);
    for (let at = 0; at < length; at += sliceBytes) {
      const done = await move(offset + at, buffer.part(at, sliceBytes));
      if (!done.ok) return done;
    }
    return ok(undefined);
  }

  async #readSlice(offset: number, into: GuestBuffer): Promise<Result<void, DiskFailure>> {
    const [first] = into.pieces;
    if (into.pieces.length === 1 && first !== undefined) return this.#disk.read(offset, first);
    const bounce = this.#take(into.length);
    const whole = bounce.subarray(0, into.length);
    const done = await this.#disk.read(offset, whole);
    if (done.ok) into.write(0, whole);
    this.#give(bounce);
    return done;
  }

  async #writeSlice(offset: number, from: GuestBuffer): Promise<Result<void, DiskFailure>> {
    const [first] = from.pieces;
    if (from.pieces.length === 1 && first !== undefined) return this.#disk.write(offset, first);
    const bounce = this.#take(from.length);
    const whole = bounce.subarray(0, from.length);
    from.read(0, whole);
    const done = await this.#disk.write(offset, whole);
    this.#give(bounce);
    return done;
  }

  #take(bytes: number): Uint8Array<ArrayBuffer> {
    const known = this.#spare.findIndex((spare) => spare.length >= bytes);
    if (known >= 0) return this.#spare.splice(known, 1)[0] as Uint8Array<ArrayBuffer>;
    return new Uint8Array(2 ** Math.ceil(Math.log2(bytes)));
  }

  #give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#spare.length < maxSpare) this.#spare.push(buffer);
  }
}
