/** LOCK CMPXCHG16B on RAM: no WebAssembly instruction exchanges 16 bytes, but the host may have a function for it. */
import { callFor, loadFrom } from '../../wasm/expression.ts';
import { load } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { state } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';
import type { Probe } from './tlb-entry.ts';

/** Where the host finds the two values of 16 bytes, in the vCPU's memory; what was there comes to the first place. */
export const wideOperands = { expected: state.scratch, replacement: state.scratch + 16 } as const;

type Pair<T> = readonly [low: T, high: T];

/** All are i64. */
export interface WideExchange {
  readonly expected: Pair<Value>;
  readonly replacement: Pair<Value>;
  /** Take what was there. */
  readonly old: Pair<Local>;
}

/**
 * @param probe of all 16 bytes, for writing
 * @param exchangeWide number of the shared function
 * @param otherwise emits what is done where they are no RAM, or the host cannot; sets `old`
 */
export function emitWideExchange(
  e: Emitter,
  probe: Probe,
  exchangeWide: number,
  { expected, replacement, old }: WideExchange,
  otherwise: () => void,
): void {
  const outcome = e.variable('i32', e.i32(-1));
  e.ifLikely(probe.hit, () => {
    for (const [n, value] of expected.entries()) e.storeState64(wideOperands.expected + n * 8, value);
    for (const [n, value] of replacement.entries()) e.storeState64(wideOperands.replacement + n * 8, value);
    e.set(outcome, callFor('i32', exchangeWide, [probe.ram]));
  });
  e.ifLikely(
    e.geS(e.get(outcome), 0),
    () => {
      for (const [n, local] of old.entries()) {
        e.set(local, loadFrom(load.i64, 'i64', e.i32(0), wideOperands.expected + n * 8, 0));
      }
    },
    otherwise,
  );
}
