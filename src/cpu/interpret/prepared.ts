/** What of the interpreter was made when the program was built. */
import { type WasmModule, webAssembly } from '../../wasm/webassembly.ts';

/** Bytes of WebAssembly modules: the main one, and one with the handlers of common forms. */
export interface PreparedInterpreter {
  readonly main: Uint8Array<ArrayBuffer>;
  readonly handlers: Uint8Array<ArrayBuffer>;
}

export interface PreparedHandlers {
  readonly module: WasmModule;
  /** `handlerKey` of a form and number of its handler in turn. */
  readonly numbers: Uint32Array;
}

/** The custom section with the numbers. */
const sectionName = 'corbel.handlers';

/** For `HandlerModule.finish`. */
export const numbersSection = (numbers: readonly number[]): Readonly<Record<string, Uint8Array>> => ({
  [sectionName]: new Uint8Array(Uint32Array.from(numbers).buffer),
});

/** @param bytes of a module with a section of numbers */
export function openPreparedHandlers(bytes: Uint8Array<ArrayBuffer>): PreparedHandlers {
  const module = new webAssembly.Module(bytes);
  const [numbers] = webAssembly.Module.customSections(module, sectionName);
  if (numbers === undefined) throw new Error(`there is no section ${sectionName}`);
  return { module, numbers: new Uint32Array(numbers) };
}
