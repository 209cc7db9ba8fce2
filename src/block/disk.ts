/**
 * A disk as guests and tools see it: an array of bytes that is read and written in any order, many requests at once.
 * Whatever stands behind it (a raw file, an image format, a server on the network, a throttle) looks the same.
 */
import type { Result } from '../support/result.ts';
import type { DiskFailure } from './disk-failure.ts';

export const sectorBytes = 512;

/** What is known of a run of bytes. `data`: stored here or below; `zero`: reads as zeroes; `hole`: nobody wrote it. */
export type ExtentKind = 'data' | 'zero' | 'hole';

export interface Extent {
  readonly kind: ExtentKind;
  readonly length: number;
}

/**
 * Offsets and lengths are bytes. A range that leaves the disk fails with `range`; nothing of it is done. Requests may
 * overlap in time; two that touch the same bytes at the same time have no order, as on a real disk.
 */
export interface Disk {
  /** Bytes; changes by `resize` alone. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Requests should be multiples of this, in place and length; others work, slower. A power of two, at least 512. */
  readonly blockBytes: number;

  /** See `scattered.ts`. */
  readonly takesScattered?: true;

  /** Fills `into` from `offset`. */
  read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>>;
  /** Stores `from` at `offset`. Durable after the next `flush`. The caller may change `from` once this has resolved. */
  write(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>>;
  /** Resolves when everything whose `write` had resolved before is on stable storage. */
  flush(): Promise<Result<void, DiskFailure>>;
  /** The content of the range no longer matters; what it reads as afterwards is zeroes or the old content. */
  discard(offset: number, length: number): Promise<Result<void, DiskFailure>>;
  /** The range reads as zeroes afterwards. `unmap`: its storage may be given back. */
  writeZeroes(offset: number, length: number, unmap: boolean): Promise<Result<void, DiskFailure>>;
  /** The first extent from `offset` on, at most `length` long; at least one byte unless `length` is 0. */
  extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>>;
  /** New bytes read as zeroes. Fails with `unsupported` where the format or the place has no way to do it. */
  resize(sizeBytes: number): Promise<Result<void, DiskFailure>>;
  /** Makes everything durable and gives back what was opened. No other call may follow or be under way. */
  close(): Promise<Result<void, DiskFailure>>;
}
