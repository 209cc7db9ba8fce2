/** Gives memory of the guest back to the operating system. */

/** MADV_DONTNEED: the pages are given back, and read as zeroes afterwards. madvise(2), asm-generic/mman-common.h. */
const dontNeed = 4;
const warning = 'ExperimentalWarning';

/**
 * @returns what gives whole pages of `buffer` back, by offset and length in bytes; undefined where this is no Linux or
 * this Node cannot call foreign functions
 */
export function memoryRelease(buffer: SharedArrayBuffer): ((offset: number, length: number) => void) | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const ffi = withoutExperimentalWarning(() => process.getBuiltinModule('node:ffi'));
    if (ffi === undefined) return undefined;
    const { functions } = ffi.dlopen(null, {
      madvise: { arguments: ['pointer', 'u64', 'i32'], return: 'i32' },
    });
    const base = ffi.getRawPointer(new Uint8Array(buffer));
    return (offset, length) => void functions.madvise(base + BigInt(offset), BigInt(length), dontNeed);
  } catch {
    // A Node that was built without it, or a policy that forbids it.
    return undefined;
  }
}

/** Users cannot do anything about it. Other warnings pass. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const original = process.emitWarning;
  process.emitWarning = (...args: unknown[]): void => {
    if (args[1] !== warning) Reflect.apply(original, process, args);
  };
  try {
    return load();
  } finally {
    process.emitWarning = original;
  }
}
