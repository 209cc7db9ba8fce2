/**
 * Status flags at translation time. An instruction's flags are mostly dead before anyone looks: the translator only
 * notes what they were computed from, and computes them where a condition, a side exit or a join wants them.
 */

import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';

/** How the flags at this point are known. `packed`: in the two flag locals (see `emit/flags.ts`). */
export type PendingFlags =
  | { readonly kind: 'packed' }
  | { readonly kind: 'logic'; readonly bits: Bits; readonly result: Value }
  | { readonly kind: 'add' | 'sub'; readonly bits: Bits; readonly a: Value; readonly b: Value; readonly result: Value };

export const packed: PendingFlags = { kind: 'packed' };
