/** The few calls of the C library that Node has no function for, through `node:ffi`. */

export interface Libc {
  /** fcntl(2) with a pointer; -1 on failure. */
  fcntl(fd: number, command: number, argument: Uint8Array): number;
  /** fallocate(2); -1 on failure. */
  fallocate(fd: number, mode: number, offset: bigint, length: bigint): number;
  /** lseek(2); -1n on failure. */
  lseek(fd: number, offset: bigint, whence: number): bigint;
}

const warning = 'ExperimentalWarning';

/** @returns undefined where this is no Linux or this Node cannot call foreign functions */
export function loadLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const ffi = withoutExperimentalWarning(() => process.getBuiltinModule('node:ffi'));
    if (ffi === undefined) return undefined;
    const { functions } = ffi.dlopen(null, {
      // The third argument is variadic in C. Both Linux ABIs that Node runs on pass it like a named one.
      fcntl: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' },
      fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
      lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
    });
    return functions;
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
