/** Settings of V8 that suit emitted code; they hold for the process, and are made before its first WebAssembly. */
import { setFlagsFromString } from 'node:v8';

/**
 * Regions call each other through a table. V8 would watch all these calls, in every run of code that is not optimised yet, to
 * inline some: a call of a builtin at every entry, for nothing, as regions are too large to be inlined.
 */
export function tuneEngine(): void {
  for (const flag of ['--no-wasm-inlining', '--no-wasm-inlining-call-indirect']) setFlagsFromString(flag);
}
