/**
 * Reads and writes of bytes that may be scattered over a memory. Who `takesScattered` gets them as they are; all others
 * get them in one piece, through a buffer.
 */

import type { Result } from '../support/result.ts';
import { type Bytes, ScatteredBytes } from '../support/scattered-bytes.ts';
import type { DiskFailure } from './disk-failure.ts';

type Done = Promise<Result<void, DiskFailure>>;

/** What disks and files have in common here. */
export interface ByteStore {
  /** `read` and `write` also work on a `ScatteredBytes`. */
  readonly takesScattered?: true;
  read(offset: number, into: Uint8Array): Done;
  write(offset: number, from: Uint8Array): Done;
}

/** Buffers that are kept for the next request, and how large they may be. */
const maxSpare = 8;
const maxSpareBytes = 1 << 20;
/** The sizes are powers of two. */
const spare: Uint8Array<ArrayBuffer>[] = [];

export function readInto(store: ByteStore, offset: number, into: Bytes): Done {
  if (!(into instanceof ScatteredBytes)) return store.read(offset, into);
  // This is what `takesScattered` promises.
  if (store.takesScattered === true) return store.read(offset, into as unknown as Uint8Array);
  return readBounced(store, offset, into);
}

export function writeFrom(store: ByteStore, offset: number, from: Bytes): Done {
  if (!(from instanceof ScatteredBytes)) return store.write(offset, from);
  if (store.takesScattered === true) return store.write(offset, from as unknown as Uint8Array);
  return writeBounced(store, offset, from);
}

async function readBounced(store: ByteStore, offset: number, into: ScatteredBytes): Done {
  const whole = inOnePlace(into);
  if (whole !== undefined) return store.read(offset, whole);
  const buffer = take(into.length);
  const bytes = buffer.subarray(0, into.length);
  const done = await store.read(offset, bytes);
  if (done.ok) into.write(0, bytes);
  give(buffer);
  return done;
}

async function writeBounced(store: ByteStore, offset: number, from: ScatteredBytes): Done {
  const whole = inOnePlace(from);
  if (whole !== undefined) return store.write(offset, whole);
  const buffer = take(from.length);
  const bytes = buffer.subarray(0, from.length);
  from.read(0, bytes);
  const done = await store.write(offset, bytes);
  give(buffer);
  return done;
}

function inOnePlace(bytes: ScatteredBytes): Uint8Array | undefined {
  let places = 0;
  let start = 0;
  bytes.each((offset) => {
    places++;
    start = offset;
  });
  return places === 1 ? bytes.memory.subarray(start, start + bytes.length) : undefined;
}

function take(bytes: number): Uint8Array<ArrayBuffer> {
  const known = spare.findIndex((buffer) => buffer.length >= bytes);
  if (known >= 0) return spare.splice(known, 1)[0] as Uint8Array<ArrayBuffer>;
  return new Uint8Array(2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
}

function give(buffer: Uint8Array<ArrayBuffer>): void {
  if (spare.length < maxSpare && buffer.length <= maxSpareBytes) spare.push(buffer);
}
