/** Tells the operating system how memory of the guest is used. */
import { loadForeignFunctions } from './foreign-functions.ts';

/** madvise(2); asm-generic/mman-common.h. */
const advice = {
  /** MADV_DONTNEED: the pages are given back, and read as zeroes afterwards. */
  dontNeed: 4,
  /** MADV_HUGEPAGE: large pages, also where the system gives them only to those who ask. */
  hugePage: 14,
} as const;

/** The largest that hosts have. */
const pageBytes = 1 << 16;

export interface MemoryAdvice {
  /** Gives whole pages back; offset and length in bytes. */
  release(buffer: SharedArrayBuffer, offset: number, length: number): void;
  /** Gives those pages back that lie in a range as a whole; offsets in bytes. */
  releaseWithin(buffer: SharedArrayBuffer, from: number, to: number): void;
  /** Gives pages back that the C library keeps for allocations to come. */
  trimHeap(): void;
  /** A system that has no large pages goes on with small ones. */
  preferLargePages(buffer: SharedArrayBuffer): void;
}

/** @returns undefined where this is no Linux or this Node cannot call foreign functions */
export function openMemoryAdvice(): MemoryAdvice | undefined {
  const ffi = loadForeignFunctions();
  if (ffi === undefined) return undefined;
  try {
    const { functions } = ffi.dlopen(null, {
      madvise: { arguments: ['pointer', 'u64', 'i32'], return: 'i32' },
    });
    // glibc's own: others keep less.
    const trim = optionalTrim(ffi);
    const advise = (buffer: SharedArrayBuffer, offset: number, length: number, kind: number): void => {
      const base = ffi.getRawPointer(new Uint8Array(buffer));
      functions.madvise(base + BigInt(offset), BigInt(length), kind);
    };
    return {
      trimHeap: () => void trim?.(0n),
      releaseWithin: (buffer, from, to) => {
        const [first, end] = [Math.ceil(from / pageBytes) * pageBytes, Math.floor(to / pageBytes) * pageBytes];
        if (end > first) advise(buffer, first, end - first, advice.dontNeed);
      },
      release: (buffer, offset, length) => advise(buffer, offset, length, advice.dontNeed),
      preferLargePages: (buffer) => advise(buffer, 0, buffer.byteLength, advice.hugePage),
    };
  } catch {
    // A C library without one of them.
    return undefined;
  }
}

/** malloc_trim(3), of all arenas. */
function optionalTrim(ffi: typeof import('node:ffi')): ((pad: bigint) => unknown) | undefined {
  try {
    const { functions } = ffi.dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } });
    return functions.malloc_trim;
  } catch {
    return undefined;
  }
}
