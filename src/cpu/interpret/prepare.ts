/**
 * What can be made of the interpreter before there is a machine, the same for every guest: its main module, and the handlers of
 * common forms. To emit one row's takes a millisecond, and a boot of Linux wants some two hundred rows.
 */
import { instructionTable } from '../isa/table.ts';
import { semantics } from '../semantics/index.ts';
import { afterCases, type DispatchCases, dispatchCases } from './dispatch-cases.ts';
import { buildMainModule } from './dispatch-loop.ts';
import { formKeys, handlerKey } from './handler-keys.ts';
import { HandlerModule } from './handler-module.ts';
import { type PreparedInterpreter, preparedSections } from './prepared.ts';

/** Of all forms without an address-size prefix in 64-bit and in 32-bit code. */
function prepareHandlers(cases: DispatchCases): Uint8Array<ArrayBuffer> {
  const { forms } = cases.numbers;
  const inlined = new Set(Array.from(forms).filter((_number, position) => position % 2 === 0));
  const module = new HandlerModule(semantics, afterCases(cases), false);
  const numbers: number[] = [];
  for (const row of instructionTable) {
    for (const key of [...formKeys(row, true), ...formKeys(row, false)]) {
      const number = handlerKey(row, key);
      const common = key.addressSize === (key.long ? 64 : 32) && !inlined.has(number);
      if (common) numbers.push(number, module.add(row, key));
    }
  }
  return module.finish(preparedSections(numbers, cases.numbers));
}

export function prepareInterpreter(): PreparedInterpreter {
  const cases = dispatchCases(semantics);
  return { main: buildMainModule({ semantics, cases, countsLookups: false }), handlers: prepareHandlers(cases) };
}
