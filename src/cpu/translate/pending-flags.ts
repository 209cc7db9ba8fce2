/**
 * Status flags at translation time. An instruction's flags are mostly dead before anyone looks: the translator only
 * notes what they were computed from, and computes them where a condition wants them.
 */
import type { Deferred } from '../emit/flags.ts';

/**
 * How the flags at this point are known. `packed`: in the two flag words (see `emit/flags.ts`), of which the region keeps
 * locals. A `Deferred`: they follow from the locals of the operands. `unknown`: one of these, as a local says.
 */
export type PendingFlags =
  | { readonly kind: 'packed' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'deferred'; readonly what: Deferred };

export const packed: PendingFlags = { kind: 'packed' };
export const unknown: PendingFlags = { kind: 'unknown' };
