/** The interpreter's module as the build left it beside the program (`scripts/bundle.mjs`). */
import { readFileSync } from 'node:fs';

/** @returns undefined where the sources run as they are */
export function readPreparedInterpreter(): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(readFileSync(new URL('interpreter.wasm', import.meta.url)));
  } catch {
    return undefined;
  }
}
