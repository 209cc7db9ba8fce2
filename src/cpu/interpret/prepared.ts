/** What of the interpreter was made when the program was built. */
import { type WasmModule, webAssembly } from '../../wasm/webassembly.ts';
import type { CaseNumbers } from './dispatch-cases.ts';

/** Bytes of WebAssembly modules: the main one, and one with the handlers of common forms. */
export interface PreparedInterpreter {
  readonly main: Uint8Array<ArrayBuffer>;
  readonly handlers: Uint8Array<ArrayBuffer>;
}

export interface PreparedHandlers {
  readonly module: WasmModule;
  /** `handlerKey` of a form and number of its handler in turn. */
  readonly numbers: Uint32Array;
  /** Those of the dispatch loops' cases, which take a while to tell. */
  readonly cases: CaseNumbers;
}

/** The custom sections of a module with handlers. */
const sections = { numbers: 'corbel.handlers', forms: 'corbel.cases', pairs: 'corbel.pairs' } as const;

const bytesOf = (numbers: ArrayLike<number>): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);

/** For `HandlerModule.finish`: as in `PreparedHandlers`. */
export const preparedSections = (
  numbers: readonly number[],
  cases: CaseNumbers,
): Readonly<Record<string, Uint8Array>> => ({
  [sections.numbers]: bytesOf(numbers),
  [sections.forms]: bytesOf(cases.forms),
  [sections.pairs]: bytesOf(cases.pairs),
});

/** @param bytes of a module with these sections */
export function openPreparedHandlers(bytes: Uint8Array<ArrayBuffer>): PreparedHandlers {
  const module = new webAssembly.Module(bytes);
  const read = (name: string): Uint32Array => {
    const [section] = webAssembly.Module.customSections(module, name);
    if (section === undefined) throw new Error(`there is no section ${name}`);
    return new Uint32Array(section);
  };
  const cases = { forms: read(sections.forms), pairs: read(sections.pairs) };
  return { module, numbers: read(sections.numbers), cases };
}
