import { callFor } from '../../wasm/expression.ts';
import type { Value } from '../../wasm/types.ts';
import type { Emitter } from '../emit/emitter.ts';
import { state } from '../state/layout.ts';

/** `leave`, if the budget (i32, bound) is used up or somebody wants the slice to end. @param mustEnd of `sharedTypes` */
export function emitSliceEnd(e: Emitter, budget: Value, mustEnd: number, leave: () => void): void {
  e.ifUnlikely(e.ltS(e.or(budget, e.loadState32(state.request)), 0), () => {
    e.if(callFor('i32', mustEnd, [budget]), leave);
  });
}
