/** Files and block devices of this host as the place where images lie. */
import { fdatasync, ftruncate, read, write, writeSync } from 'node:fs';
import type { BlockFile } from '../../../block/block-file.ts';
import type { Extent } from '../../../block/disk.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { fallocateMode, seekWhence } from '../../../spec/file-allocation.ts';
import { fail, mapResult, ok, type Result } from '../../../support/result.ts';
import { closeFile, statusOf } from './file-calls.ts';
import { hostFailure } from './host-failure.ts';
import type { Libc } from './libc.ts';

const done: Result<void, DiskFailure> = ok(undefined);
const finished = Promise.resolve(done);
/** read(2) and write(2) transfer at most 2 GiB less a page in one call. */
const mostBytesPerCall = 2 ** 30;
const zeroes = new Uint8Array(2 ** 20);
/** Up to here, copying from or to the page cache at once is faster than having another thread do it. */
const mostBytesAtOnce = 128 * 1024;
/** After so many reads in a row that were not in the page cache, only one in as many is tried. */
const patience = 32;
/** A write that takes longer did not just go to the page cache: as many after it are left to another thread. */
const slowWriteMs = 2;
const caution = 256;

export interface OpenedFile {
  readonly name: string;
  readonly fd: number;
  readonly readOnly: boolean;
  /** A block device's size; undefined for a file, whose size changes. */
  readonly deviceBytes: number | undefined;
  readonly libc: Libc | undefined;
}

export class NodeBlockFile implements BlockFile {
  readonly #file: OpenedFile;
  /** After a failed fdatasync the kernel forgets what was not written: no later one can promise anything. */
  #lostWrites: Result<void, DiskFailure> = done;
  /** Reads since the last one that was found in the page cache. */
  #misses = 0;
  /** Writes to come that may take long. */
  #slowWrites = 0;

  constructor(file: OpenedFile) {
    this.#file = file;
  }

  get name(): string {
    return this.#file.name;
  }

  get readOnly(): boolean {
    return this.#file.readOnly;
  }

  get isDevice(): boolean {
    return this.#file.deviceBytes !== undefined;
  }

  async size(): Promise<Result<number, DiskFailure>> {
    const { fd, deviceBytes } = this.#file;
    if (deviceBytes !== undefined) return ok(deviceBytes);
    return mapResult(await statusOf(this.name, fd), ({ size }) => size);
  }

  read(offset: number, into: Uint8Array): Promise<Result<void, DiskFailure>> {
    const { fd } = this.#file;
    const cached = this.#readCached(offset, into);
    if (cached === into.length) return finished;
    return new Promise((resolve) => {
      let filled = cached;
      const next = (): void => {
        const length = Math.min(into.length - filled, mostBytesPerCall);
        read(fd, into, filled, length, offset + filled, (error, count) => {
          if (error !== null) return resolve(hostFailure(this.name, 'read', error));
          filled += count;
          if (count === 0) into.fill(0, filled);
          if (count === 0 || filled === into.length) return resolve(done);
          next();
        });
      };
      if (into.length === 0) resolve(done);
      else next();
    });
  }

  write(offset: number, from: Uint8Array): Promise<Result<void, DiskFailure>> {
    const { fd, deviceBytes } = this.#file;
    if (this.readOnly) return Promise.resolve(this.#refuse());
    if (deviceBytes !== undefined && offset + from.length > deviceBytes) {
      return Promise.resolve(fail('no-space', `${this.name} cannot be written: the device is full.`));
    }
    const atOnce = this.#writeAtOnce(offset, from);
    if (!atOnce.ok) return Promise.resolve(atOnce);
    if (atOnce.value === from.length) return finished;
    return new Promise((resolve) => {
      let written = atOnce.value;
      const next = (): void => {
        const length = Math.min(from.length - written, mostBytesPerCall);
        write(fd, from, written, length, offset + written, (error, count) => {
          if (error !== null) return resolve(hostFailure(this.name, 'written', error));
          written += count;
          if (written === from.length) return resolve(done);
          next();
        });
      };
      next();
    });
  }

  flush(): Promise<Result<void, DiskFailure>> {
    if (this.readOnly || !this.#lostWrites.ok) return Promise.resolve(this.#lostWrites);
    return new Promise((resolve) => {
      fdatasync(this.#file.fd, (error) => {
        if (error !== null) this.#lostWrites = hostFailure(this.name, 'written', error);
        resolve(this.#lostWrites);
      });
    });
  }

  truncate(sizeBytes: number): Promise<Result<void, DiskFailure>> {
    const { fd, deviceBytes } = this.#file;
    if (this.readOnly) return Promise.resolve(this.#refuse());
    if (deviceBytes !== undefined) {
      return Promise.resolve(fail('unsupported', `${this.name} is a device: its size is what it is.`));
    }
    return new Promise((resolve) => {
      ftruncate(fd, sizeBytes, (error) => resolve(error === null ? done : hostFailure(this.name, 'resized', error)));
    });
  }

  async punchHole(offset: number, length: number): Promise<Result<void, DiskFailure>> {
    const { fd, libc } = this.#file;
    if (this.readOnly) return this.#refuse();
    const size = await this.size();
    if (!size.ok) return size;
    const end = Math.min(offset + length, size.value);
    if (end <= offset) return done;
    const mode = fallocateMode.punchHole | fallocateMode.keepSize;
    if (libc?.fallocate(fd, mode, BigInt(offset), BigInt(end - offset)) === 0) return done;
    for (let at = offset; at < end; at += zeroes.length) {
      const written = await this.write(at, zeroes.subarray(0, Math.min(zeroes.length, end - at)));
      if (!written.ok) return written;
    }
    return done;
  }

  async extent(offset: number, length: number): Promise<Result<Extent, DiskFailure>> {
    const { fd, libc, deviceBytes } = this.#file;
    const size = await this.size();
    if (!size.ok) return size;
    if (offset >= size.value) return ok({ kind: 'hole', length });
    const inside = Math.min(length, size.value - offset);
    if (libc === undefined || deviceBytes !== undefined) return ok({ kind: 'data', length: inside });
    const hole = Number(libc.lseek(fd, BigInt(offset), seekWhence.hole));
    if (hole < 0) return ok({ kind: 'data', length: inside });
    if (hole > offset) return ok({ kind: 'data', length: Math.min(inside, hole - offset) });
    const data = Number(libc.lseek(fd, BigInt(offset), seekWhence.data));
    // A hole at `offset` and no data behind it: the hole goes to the end, and beyond it there is nothing either.
    return ok({ kind: 'hole', length: data < 0 ? length : Math.min(length, data - offset) });
  }

  async close(): Promise<Result<void, DiskFailure>> {
    return closeFile(this.#file.fd, this.name);
  }

  /** @returns how many bytes were there */
  #readCached(offset: number, into: Uint8Array): number {
    const { fd, libc } = this.#file;
    if (libc === undefined || into.length > mostBytesAtOnce || into.length === 0) return 0;
    if (this.#misses >= patience && this.#misses++ % patience !== 0) return 0;
    const count = libc.readCached(fd, offset, into);
    if (count > 0) this.#misses = 0;
    else this.#misses++;
    return Math.max(0, count);
  }

  /** @returns how many bytes were written */
  #writeAtOnce(offset: number, from: Uint8Array): Result<number, DiskFailure> {
    if (from.length === 0 || from.length > mostBytesAtOnce) return ok(0);
    if (this.#slowWrites > 0) {
      this.#slowWrites--;
      return ok(0);
    }
    const startMs = performance.now();
    try {
      const count = writeSync(this.#file.fd, from, 0, from.length, offset);
      if (performance.now() - startMs > slowWriteMs) this.#slowWrites = caution;
      return ok(count);
    } catch (error) {
      return hostFailure(this.name, 'written', error);
    }
  }

  #refuse(): Result<void, DiskFailure> {
    return fail('read-only', `${this.name} is open for reading only.`);
  }
}
