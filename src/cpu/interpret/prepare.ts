/** What can be made of the interpreter before there is a machine: its main module, the same for every guest. */
import { semantics } from '../semantics/index.ts';
import { buildMainModule } from './dispatch-loop.ts';

export const prepareInterpreter = (): Uint8Array<ArrayBuffer> => buildMainModule({ semantics, countsLookups: false });
