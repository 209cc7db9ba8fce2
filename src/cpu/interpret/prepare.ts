/**
 * What can be made of the interpreter before there is a machine, the same for every guest: its main module, and the handlers of
 * common forms. To emit one row's takes a millisecond, and a boot of Linux wants some two hundred rows.
 */
import { instructionTable } from '../isa/table.ts';
import { semantics } from '../semantics/index.ts';
import { buildMainModule } from './dispatch-loop.ts';
import { formKeys, handlerKey, pseudoHandlers } from './handler-keys.ts';
import { HandlerModule } from './handler-module.ts';
import { inlinedKeys } from './hot.ts';
import { type PreparedInterpreter, preparedSections } from './prepared.ts';

/** Of all forms without an address-size prefix in 64-bit and in 32-bit code. */
function prepareHandlers(): Uint8Array<ArrayBuffer> {
  const inlined = inlinedKeys();
  const cases = new Set(inlined);
  const module = new HandlerModule(semantics, pseudoHandlers + inlined.length, false);
  const numbers: number[] = [];
  for (const row of instructionTable) {
    for (const key of [...formKeys(row, true), ...formKeys(row, false)]) {
      const number = handlerKey(row, key);
      const common = key.addressSize === (key.long ? 64 : 32) && !cases.has(number);
      if (common) numbers.push(number, module.add(row, key));
    }
  }
  return module.finish(preparedSections(numbers, inlined));
}

export const prepareInterpreter = (): PreparedInterpreter => ({
  main: buildMainModule({ semantics, countsLookups: false }),
  handlers: prepareHandlers(),
});
