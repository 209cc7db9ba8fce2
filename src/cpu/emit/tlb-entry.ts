/** Where emitted code looks in the software TLB. */
import type { Value } from '../../wasm/types.ts';
import { engine, tlb } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';

/** A look into the TLB: whether it hit (i32), the tag found there (i64, bound), and where the operand lies in RAM (i32). */
export interface Probe {
  readonly hit: Value;
  readonly tag: Value;
  readonly ram: Value;
}

const count = (e: Emitter, looks: bigint): void =>
  e.storeState64(engine.tlbLookups, e.add(e.loadState64(engine.tlbLookups), looks));

const entryShift = Math.log2(tlb.entrySize);

/** Address of the entry for `linear` (i64) in the TLB set at `set` (i32), without the offset of the table of writes: i32. Counts the look. */
export function tlbEntry(e: Emitter, set: Value, linear: Value): Value {
  if (e.countsLookups) count(e, 1n);
  return e.add(set, e.wrap(e.and(e.shrU(linear, 12 - entryShift), (tlb.entries - 1) << entryShift)));
}

/** A look that was counted is made again elsewhere. */
export const forgetLookup = (e: Emitter): void => count(e, -1n);
