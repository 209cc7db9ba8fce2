/** Reads from and writes to the page cache that are done at once, not by another thread: where that is fast. */
import { writeSync } from 'node:fs';
import { type Bytes, ScatteredBytes } from '../../../support/scattered-bytes.ts';
import type { Libc } from './libc.ts';

/** Up to here, copying at once is faster than having another thread do it. */
const mostBytes = 128 * 1024;
/** The same for many places, of which another thread needs views that take as long to make as the bytes to copy. */
const mostScatteredBytes = 1 << 20;
/** After so many reads in a row that were not in the page cache, only one in as many is tried. */
const patience = 32;
/** A write that takes longer, and as much again for each megabyte, did not just go to the page cache. */
const slowWriteMs = 2;
/** So many bytes after it are left to another thread, and each write counts as many at least. */
const cautionBytes = 32 << 20;
const leastBytes = 128 * 1024;

export class AtOnce {
  readonly #fd: number;
  readonly #libc: Libc | undefined;
  /** Reads since the last one that was found in the page cache. */
  #misses = 0;
  /** Bytes to come whose writing may take long. */
  #slowBytes = 0;

  constructor(fd: number, libc: Libc | undefined) {
    this.#fd = fd;
    this.#libc = libc;
  }

  /** @returns how many bytes were there */
  read(offset: number, into: Bytes): number {
    if (this.#libc === undefined || !isSmall(into)) return 0;
    if (this.#misses >= patience && this.#misses++ % patience !== 0) return 0;
    const count = this.#libc.readCached(this.#fd, offset, into);
    if (count > 0) this.#misses = 0;
    else this.#misses++;
    return Math.max(0, count);
  }

  /** @returns how many bytes were written; what fails has to be tried again to learn why */
  write(offset: number, from: Bytes): number {
    if (!isSmall(from)) return 0;
    if (this.#slowBytes > 0) {
      this.#slowBytes -= Math.max(from.length, leastBytes);
      return 0;
    }
    const startMs = performance.now();
    const count = this.#write(offset, from);
    const mostMs = slowWriteMs * (1 + from.length / mostScatteredBytes);
    if (performance.now() - startMs > mostMs) this.#slowBytes = cautionBytes;
    return Math.max(0, count);
  }

  #write(offset: number, from: Bytes): number {
    if (this.#libc !== undefined) return this.#libc.write(this.#fd, offset, from);
    if (from instanceof ScatteredBytes) return 0;
    try {
      return writeSync(this.#fd, from, 0, from.length, offset);
    } catch {
      return 0;
    }
  }
}

function isSmall(bytes: Bytes): boolean {
  return bytes.length > 0 && bytes.length <= (bytes instanceof ScatteredBytes ? mostScatteredBytes : mostBytes);
}
