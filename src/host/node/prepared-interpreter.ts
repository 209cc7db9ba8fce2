/** The interpreter's modules as the build left them beside the program (`scripts/bundle.mjs`). */
import { readFileSync } from 'node:fs';
import type { PreparedInterpreter } from '../../cpu/interpret/prepared.ts';

const read = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(new URL(name, import.meta.url)));

/** @returns undefined where the sources run as they are */
export function readPreparedInterpreter(): PreparedInterpreter | undefined {
  try {
    return { main: read('interpreter.wasm'), handlers: read('handlers.wasm') };
  } catch {
    return undefined;
  }
}
