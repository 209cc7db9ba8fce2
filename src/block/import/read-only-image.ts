/** The disk that all importers make: what differs between formats is where a byte of the disk lies. */
import { type Err, fail, ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import { type Disk, type Extent, sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

/** Where a run of bytes of the disk is found. `packed`: `length` bytes from `from` of what `unpack` resolves with. */
export type Place =
  | { readonly kind: 'zero' | 'hole'; readonly length: number }
  | { readonly kind: 'stored'; readonly length: number; readonly file: BlockFile; readonly at: number }
  | {
      readonly kind: 'packed';
      readonly length: number;
      readonly from: number;
      unpack(): Promise<Result<Uint8Array, DiskFailure>>;
    };

export interface ImageLayout {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes?: number;
  /** Everything that was opened for this image. */
  readonly files: readonly BlockFile[];
  /** The place of the bytes from `offset` on: at least one of them and at most `length`, which is not 0. */
  locate(offset: number, length: number): Promise<Result<Place, DiskFailure>>;
}

/** Reads of one request that are under way at the same time. */
const mostReads = 16;
/** Pieces that one answer of `extent` is joined from. */
const mostPieces = 1024;

type Done = Result<void, DiskFailure>;
const done: Done = ok(undefined);

export class ReadOnlyImage implements Disk {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly blockBytes: number;
  readonly #layout: ImageLayout;

  constructor(layout: ImageLayout) {
    this.#layout = layout;
    this.sizeBytes = layout.sizeBytes;
    this.blockBytes = layout.blockBytes ?? sectorBytes;
  }

  async read(offset: number, into: Uint8Array): Promise<Done> {
    const wrong = this.#checkRange(offset, into.length);
    if (wrong !== undefined) return wrong;
    let reads: Promise<Done>[] = [];
    for (let filled = 0; filled < into.length; ) {
      const place = await this.#run(offset + filled, into.length - filled);
      if (!place.ok) {
        await Promise.all(reads);
        return place;
      }
      reads.push(fetchPlace(place.value, into.subarray(filled, filled + place.value.length)));
      filled += place.value.length;
      if (reads.length < mostReads && filled < into.length) continue;
      const failure = (await Promise.all(reads)).find((read) => !read.ok);
      if (failure !== undefined) return failure;
      reads = [];
    }
    return done;
  }

  async extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const wrong = this.#checkRange(offset, length);
    if (wrong !== undefined) return wrong;
    if (length === 0) return ok({ kind: 'data', length });
    let extent = await this.#piece(offset, length);
    for (let pieces = 1; extent.ok && extent.value.length < length && pieces < mostPieces; pieces++) {
      const known: Extent = extent.value;
      const next = await this.#piece(offset + known.length, length - known.length);
      // What follows is not asked for: a failure there is not this answer's.
      if (!next.ok || next.value.kind !== known.kind) break;
      extent = ok({ kind: known.kind, length: known.length + next.value.length });
    }
    return extent;
  }

  flush(): Promise<Done> {
    return Promise.resolve(done);
  }

  write(_offset: number, _from: Uint8Array): Promise<Done> {
    return this.#refuse();
  }

  discard(_offset: number, _length: number): Promise<Done> {
    return this.#refuse();
  }

  writeZeroes(_offset: number, _length: number, _unmap: boolean): Promise<Done> {
    return this.#refuse();
  }

  resize(_sizeBytes: number): Promise<Done> {
    return this.#refuse();
  }

  close(): Promise<Done> {
    return closeAll(this.#layout.files);
  }

  /** `locate`, with stored runs that adjoin in the file joined to one. */
  async #run(offset: number, length: number): Promise<Result<Place, DiskFailure>> {
    const first = await this.#layout.locate(offset, length);
    if (!first.ok || first.value.kind !== 'stored') return first;
    const { kind, file, at } = first.value;
    let known = first.value.length;
    while (known < length) {
      const next = await this.#layout.locate(offset + known, length - known);
      if (!next.ok || next.value.kind !== 'stored') break;
      if (next.value.file !== file || next.value.at !== at + known) break;
      known += next.value.length;
    }
    return ok({ kind, length: known, file, at });
  }

  async #piece(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const place = await this.#layout.locate(offset, length);
    if (!place.ok) return place;
    if (place.value.kind === 'packed') return ok({ kind: 'data', length: place.value.length });
    if (place.value.kind !== 'stored') return ok({ kind: place.value.kind, length: place.value.length });
    const stored = await place.value.file.extent(place.value.at, place.value.length);
    if (!stored.ok) return stored;
    // The format has room for it, so it was given out; that the file has a hole there says only that it is zeroes.
    return ok({ kind: stored.value.kind === 'data' ? 'data' : 'zero', length: stored.value.length });
  }

  #checkRange(offset: number, length: number): Err<DiskFailure> | undefined {
    if (offset >= 0 && length >= 0 && offset + length <= this.sizeBytes) return undefined;
    return fail('range', `the image ${this.#layout.name} ends at ${this.sizeBytes}, before ${offset} + ${length}.`);
  }

  #refuse(): Promise<Done> {
    return Promise.resolve(
      fail('read-only', `the image ${this.#layout.name} is of a format that is only read; convert it to write to it.`),
    );
  }
}

async function fetchPlace(place: Place, into: Uint8Array): Promise<Done> {
  if (place.kind === 'stored') return place.file.read(place.at, into);
  if (place.kind !== 'packed') {
    into.fill(0);
    return done;
  }
  const unpacked = await place.unpack();
  if (!unpacked.ok) return unpacked;
  into.set(unpacked.value.subarray(place.from, place.from + into.length));
  return done;
}

/** Closes all of them, even when one fails. */
export async function closeAll(files: readonly BlockFile[]): Promise<Done> {
  const closed = await Promise.all(files.map((file) => file.close()));
  return closed.find((result) => !result.ok) ?? done;
}
