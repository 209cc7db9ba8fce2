/**
 * Where regions go that leave at an access which the TLB does not have (see `RegionRequest.leavesOnMiss`): on with the same
 * instruction in the interpreter, which enters regions again as always.
 */
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { i32Constant } from '../../wasm/expression.ts';
import type { ModuleBuilder } from '../../wasm/module-builder.ts';
import { load, store } from '../../wasm/opcodes.ts';
import { Emitter } from '../emit/emitter.ts';
import { regionMisses, regionReference, state, targetCache } from '../state/layout.ts';
import { pseudoHandler, regionTable, regionType, uncounted } from './handler-keys.ts';
import { emitLookup } from './lookup.ts';
import { record } from './record.ts';
import { status } from './status.ts';

/**
 * Times that a region may be left so before it is made again. Half of them are forgotten every 32 slices (`Translator.work`): it
 * takes some 400 a millisecond, a twentieth of the time. For less, code that V8 has optimised is not worth giving up.
 */
const mostMisses = 25_000;

/** (record and reference that the region was entered with) → status. @param find number of the function that `emitFind` makes */
export function defineGoOn(module: ModuleBuilder, find: number): number {
  const index = module.declare(regionType);
  const code = new CodeBuilder(regionType.parameters);
  const e = new Emitter(code);
  const [entry, reference] = [code.get(code.parameter(0)), code.get(code.parameter(1))];
  const counter = e.let(e.shl(e.shrU(reference, regionReference.entryBits), 1));
  const misses = e.let(e.add(e.loadState(load.i32_16u, 'i32', counter, regionMisses.base), 1));
  e.storeState(store.i32_16, counter, regionMisses.base, misses);
  e.ifUnlikely(e.geU(misses, mostMisses), () => {
    e.storeState32(state.record, entry);
    code.return(i32Constant(status.missed));
  });
  const target = e.let(e.loadState64(state.rip));
  const known = emitLookup(e, target, find, () => code.return(i32Constant(status.redo)));
  const at = e.variable('i32', e.loadState32(known, targetCache.record));
  // An entry of a region would lead back into it, and no further.
  e.if(e.eq(e.loadState16(e.get(at), record.handler), pseudoHandler.translated), () => {
    e.set(at, e.loadState32(e.get(at), record.original));
    e.ifUnlikely(e.isZero(e.get(at)), () => code.return(i32Constant(status.redo)));
  });
  e.storeState64(state.codeBase, e.and(target, -4096n));
  code.returnCallIndirect(
    module.typeIndex(regionType),
    regionTable,
    [e.get(at), i32Constant(uncounted)],
    i32Constant(0),
  );
  module.define(index, code);
  return index;
}
