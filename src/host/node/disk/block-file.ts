/** Files and block devices of this host as the place where images lie. */
import { fdatasync, ftruncate, read, readv, write, writev } from 'node:fs';
import type { BlockFile } from '../../../block/block-file.ts';
import type { Extent } from '../../../block/disk.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { fallocateMode, seekWhence } from '../../../spec/file-allocation.ts';
import { fail, mapResult, ok, type Result } from '../../../support/result.ts';
import { type Bytes, ScatteredBytes } from '../../../support/scattered-bytes.ts';
import { AtOnce } from './at-once.ts';
import { FairTurns } from './fair-turns.ts';
import { closeFile, statusOf } from './file-calls.ts';
import { hostFailure } from './host-failure.ts';
import type { Libc } from './libc.ts';

const done: Result<void, DiskFailure> = ok(undefined);
const finished = Promise.resolve(done);
/** read(2) and write(2) transfer at most 2 GiB less a page in one call. */
const mostBytesPerCall = 2 ** 30;
const zeroes = new Uint8Array(2 ** 20);
/** Of the thread, whatever file it is. */
const turns = new FairTurns();

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
  readonly takesScattered = true;
  readonly #atOnce: AtOnce;

  constructor(file: OpenedFile) {
    this.#file = file;
    this.#atOnce = new AtOnce(file.fd, file.libc);
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

  read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    const turn = turns.enter(into.length);
    return turn === undefined ? this.#read(offset, into) : turn.then(() => this.#read(offset, into));
  }

  write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    const { deviceBytes } = this.#file;
    if (this.readOnly) return Promise.resolve(this.#refuse());
    if (deviceBytes !== undefined && offset + from.length > deviceBytes) {
      return Promise.resolve(fail('no-space', `${this.name} cannot be written: the device is full.`));
    }
    const turn = turns.enter(from.length);
    return turn === undefined ? this.#write(offset, from) : turn.then(() => this.#write(offset, from));
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

  #read(offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
    let filled = this.#atOnce.read(offset, into);
    if (filled === into.length) return finished;
    return new Promise((resolve) => {
      const next = (): void => {
        readSome(this.#file.fd, into, filled, offset + filled, (error, count) => {
          if (error !== null) return resolve(hostFailure(this.name, 'read', error));
          filled += count;
          if (count === 0) into.fill(0, filled);
          if (count === 0 || filled === into.length) return resolve(done);
          next();
        });
      };
      next();
    });
  }

  #write(offset: number, from: Bytes): Promise<Result<void, DiskFailure>> {
    let written = this.#atOnce.write(offset, from);
    if (written === from.length) return finished;
    return new Promise((resolve) => {
      const next = (): void => {
        writeSome(this.#file.fd, from, written, offset + written, (error, count) => {
          if (error !== null) return resolve(hostFailure(this.name, 'written', error));
          written += count;
          if (written === from.length) return resolve(done);
          next();
        });
      };
      next();
    });
  }

  #refuse(): Result<void, DiskFailure> {
    return fail('read-only', `${this.name} is open for reading only.`);
  }
}

type Counted = (error: NodeJS.ErrnoException | null, bytes: number) => void;

/** Reads into what `into` has behind its first `filled` bytes, or into the beginning of that, on another thread. */
function readSome(fd: number, into: Bytes, filled: number, position: number, then: Counted): void {
  const end = Math.min(into.length, filled + mostBytesPerCall);
  if (into instanceof ScatteredBytes) readv(fd, into.subarray(filled, end).views(), position, then);
  else read(fd, into, filled, end - filled, position, then);
}

function writeSome(fd: number, from: Bytes, written: number, position: number, then: Counted): void {
  const end = Math.min(from.length, written + mostBytesPerCall);
  if (from instanceof ScatteredBytes) writev(fd, from.subarray(written, end).views(), position, then);
  else write(fd, from, written, end - written, position, then);
}
