/** The few calls of the C library that Node has no function for, through `node:ffi`. */
import { readFlags } from '../../../spec/file-allocation.ts';
import type { Bytes } from '../../../support/scattered-bytes.ts';
import { loadForeignFunctions } from '../foreign-functions.ts';
import { Vectors } from './vectors.ts';

export interface Libc {
  /** fcntl(2) with a pointer; -1 on failure. */
  fcntl(fd: number, command: number, argument: Uint8Array): number;
  /** fallocate(2); -1 on failure. */
  fallocate(fd: number, mode: number, offset: bigint, length: bigint): number;
  /** lseek(2); -1n on failure. */
  lseek(fd: number, offset: bigint, whence: number): bigint;
  /** Reads what is in memory already, without waiting for any medium. @returns how many bytes; -1 if none are */
  readCached(fd: number, offset: number, into: Bytes): number;
  /** pwritev(2) of `from` or its beginning. @returns how many bytes; -1 on failure */
  write(fd: number, offset: number, from: Bytes): number;
}

/** @returns undefined where this is no Linux or this Node cannot call foreign functions */
export function loadLibc(): Libc | undefined {
  const ffi = loadForeignFunctions();
  if (ffi === undefined) return undefined;
  try {
    const { functions } = ffi.dlopen(null, {
      // The third argument is variadic in C. Both Linux ABIs that Node runs on pass it like a named one.
      fcntl: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' },
      fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
      lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
      preadv2: { arguments: ['i32', 'buffer', 'i32', 'i64', 'i32'], return: 'i64' },
      pwritev: { arguments: ['i32', 'buffer', 'i32', 'i64'], return: 'i64' },
    });
    const vectors = new Vectors(ffi);
    return {
      fcntl: functions.fcntl,
      fallocate: functions.fallocate,
      lseek: functions.lseek,
      readCached: (fd, offset, into) => {
        const count = vectors.describe(into);
        return Number(functions.preadv2(fd, vectors.bytes, count, BigInt(offset), readFlags.noWait));
      },
      write: (fd, offset, from) => {
        const count = vectors.describe(from);
        return Number(functions.pwritev(fd, vectors.bytes, count, BigInt(offset)));
      },
    };
  } catch {
    // A C library without one of them.
    return undefined;
  }
}
