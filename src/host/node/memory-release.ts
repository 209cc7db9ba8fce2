/** Gives memory of the guest back to the operating system. */
import { loadForeignFunctions } from './foreign-functions.ts';

/** MADV_DONTNEED: the pages are given back, and read as zeroes afterwards. madvise(2), asm-generic/mman-common.h. */
const dontNeed = 4;

/**
 * @returns what gives whole pages of `buffer` back, by offset and length in bytes; undefined where this is no Linux or
 * this Node cannot call foreign functions
 */
export function memoryRelease(buffer: SharedArrayBuffer): ((offset: number, length: number) => void) | undefined {
  const ffi = loadForeignFunctions();
  if (ffi === undefined) return undefined;
  try {
    const { functions } = ffi.dlopen(null, {
      madvise: { arguments: ['pointer', 'u64', 'i32'], return: 'i32' },
    });
    const base = ffi.getRawPointer(new Uint8Array(buffer));
    return (offset, length) => void functions.madvise(base + BigInt(offset), BigInt(length), dontNeed);
  } catch {
    // A C library without one of them.
    return undefined;
  }
}
