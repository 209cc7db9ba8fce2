/** Calls into the C library, where this Node can make them. */

const warning = 'ExperimentalWarning';

/** @returns `node:ffi`; undefined where this is no Linux or this Node cannot call foreign functions */
export function loadForeignFunctions(): typeof import('node:ffi') | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return withoutExperimentalWarning(() => process.getBuiltinModule('node:ffi'));
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
