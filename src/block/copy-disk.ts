/** Copies a disk to another one: what reads as zeroes takes no room there. */
import { ok, type Result } from '../support/result.ts';
import type { Disk } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { isZero } from './zeroes.ts';

export interface CopyOptions {
  /** Whether the target reads as zeroes at first: then zeroes are not written. */
  readonly targetIsZero: boolean;
  /** Stores a piece in place of `Disk.write`. */
  readonly store?: (offset: number, bytes: Uint8Array) => Promise<Result<void, DiskFailure>>;
  /** Pieces are of this size, but for the last one. */
  readonly pieceBytes: number;
  /** Zeroes of this length and place are left out of pieces; 0 stores everything, `pieceBytes` only whole pieces. */
  readonly sparseBytes: number;
  /** Called with numbers that grow up to 1. */
  readonly onProgress?: (part: number) => void;
}

/** Requests under way at the same time. */
const workers = 8;
/** What is asked at once about what a source has. */
const extentBytes = 2 ** 30;

/** Copies as much as the smaller of the two has. */
export async function copyDisk(source: Disk, target: Disk, options: CopyOptions): Promise<Result<void, DiskFailure>> {
  const copy = new Copy(source, target, options);
  const results = await Promise.all(Array.from({ length: workers }, () => copy.work()));
  return results.find((result) => !result.ok) ?? ok(undefined);
}

interface Piece {
  readonly offset: number;
  readonly length: number;
  readonly zero: boolean;
}

class Copy {
  readonly #source: Disk;
  readonly #target: Disk;
  readonly #options: CopyOptions;
  readonly #end: number;
  #next = 0;
  /** Behind the piece of the source that was asked about last, and whether there are zeroes. */
  #known = { end: 0, zero: false };
  #choosing: Promise<unknown> = Promise.resolve();
  /** Resolves when all pieces before have been handed to the target: so it lays them out in their order. */
  #turn: Promise<void> = Promise.resolve();
  #failed = false;
  #done = 0;

  constructor(source: Disk, target: Disk, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#end = Math.min(source.sizeBytes, target.sizeBytes);
  }

  async work(): Promise<Result<void, DiskFailure>> {
    const buffer = new Uint8Array(this.#options.pieceBytes);
    while (!this.#failed) {
      const before = this.#turn;
      let pass: () => void = () => {};
      const chosen = this.#choose();
      this.#turn = new Promise((resolve) => {
        pass = resolve;
      });
      const piece = await chosen;
      const copied =
        piece.ok && piece.value !== undefined ? await this.#copy(piece.value, buffer, before, pass) : piece;
      pass();
      if (!copied.ok) this.#failed = true;
      if (!copied.ok) return copied;
      if (piece.ok && piece.value === undefined) break;
    }
    return ok(undefined);
  }

  /** The next piece; undefined behind the last one. */
  #choose(): Promise<Result<Piece | undefined, DiskFailure>> {
    const chosen = this.#choosing.then(() => this.#chooseNext());
    this.#choosing = chosen;
    return chosen;
  }

  async #chooseNext(): Promise<Result<Piece | undefined, DiskFailure>> {
    const { pieceBytes } = this.#options;
    const offset = this.#next;
    if (offset >= this.#end) return ok(undefined);
    if (offset >= this.#known.end) {
      const extent = await this.#source.extent(offset, Math.min(extentBytes, this.#end - offset));
      if (!extent.ok) return extent;
      const zero = extent.value.kind !== 'data' && this.#options.sparseBytes > 0;
      this.#known = { end: offset + extent.value.length, zero };
    }
    // Zeroes go by whole pieces; a piece that has other things in it is read.
    const zeroes = this.#known.zero ? this.#known.end - offset : 0;
    const whole = this.#known.end >= this.#end ? zeroes : zeroes - (zeroes % pieceBytes);
    const length = whole > 0 ? whole : Math.min(pieceBytes, this.#end - offset);
    this.#next = offset + length;
    return ok({ offset, length, zero: whole > 0 });
  }

  async #copy(
    { offset, length, zero }: Piece,
    buffer: Uint8Array,
    before: Promise<void>,
    pass: () => void,
  ): Promise<Result<void, DiskFailure>> {
    const bytes = zero ? undefined : buffer.subarray(0, length);
    const read = bytes === undefined ? ok(undefined) : await this.#source.read(offset, bytes);
    await before;
    if (!read.ok || this.#failed) return read;
    const writing = bytes === undefined ? this.#zeroes(offset, length) : this.#write(offset, bytes);
    pass();
    const written = await writing;
    this.#done += length;
    this.#options.onProgress?.(this.#done / Math.max(1, this.#end));
    return written;
  }

  async #zeroes(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    return this.#options.targetIsZero ? ok(undefined) : this.#target.writeZeroes(offset, length, true);
  }

  async #write(offset: number, bytes: Uint8Array): Promise<Result<void, DiskFailure>> {
    const store = this.#options.store ?? ((at: number, part: Uint8Array) => this.#target.write(at, part));
    const { sparseBytes } = this.#options;
    if (sparseBytes === 0) return store(offset, bytes);
    const writes: Promise<Result<void, DiskFailure>>[] = [];
    for (let at = 0; at < bytes.length; ) {
      const zero = isZero(bytes.subarray(at, at + sparseBytes));
      let end = at + sparseBytes;
      while (end < bytes.length && isZero(bytes.subarray(end, end + sparseBytes)) === zero) end += sparseBytes;
      const part = bytes.subarray(at, end);
      writes.push(zero ? this.#zeroes(offset + at, part.length) : store(offset + at, part));
      at += part.length;
    }
    return (await Promise.all(writes)).find((result) => !result.ok) ?? ok(undefined);
  }
}
