/** What keeps an instruction that changes modes or lets interrupts in from staying in emitted code. */
import type { Value } from '../../wasm/types.ts';
import type { Ops } from '../emit/ops.ts';
import { blockKeys } from '../state/block-key.ts';
import { state } from '../state/layout.ts';

/** Instructions run one at a time, and somebody looks at each: i32 0 or 1. */
export const isStepped = (o: Ops): Value => o.geU(o.loadState32(state.blockKey), blockKeys.firstStep);

/** An interrupt may wait for IF, or may have come since the last look: i32 0 or not. */
export const mayInterrupt = (o: Ops): Value =>
  o.or(o.loadState32(state.interruptWaiting), o.loadState32(state.request));
