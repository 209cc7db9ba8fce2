/** Whether the code that runs is 32-bit code with flat segments: i32. */
import type { Value } from '../../wasm/types.ts';
import { blockKeyOf, modeBits } from '../state/block-key.ts';
import { state } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';

export function isFlatNow(e: Emitter): Value {
  const bits = e.sub(e.loadState32(state.blockKey), blockKeyOf(0));
  return e.eq(e.and(bits, modeBits.size), modeBits.flat32);
}
