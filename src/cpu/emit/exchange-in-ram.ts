/** A read-modify-write of guest RAM that is one step for every processor. */
import { compareExchange, loadFrom } from '../../wasm/expression.ts';
import { atomic } from '../../wasm/opcodes.ts';
import type { Local, Value } from '../../wasm/types.ts';
import { guestRam, loadOpcode, memoryType } from './access-opcodes.ts';
import type { Emitter } from './emitter.ts';

const exchanges: Readonly<Record<number, number>> = {
  1: atomic.i32_8CompareExchange,
  2: atomic.i32_16CompareExchange,
  4: atomic.i32CompareExchange,
  8: atomic.i64CompareExchange,
};

/**
 * @param address into RAM (i32, bound), a multiple of `bytes`
 * @param old takes what was there
 * @param change is tried again as often as somebody else was faster
 */
export function exchangeInRam(
  e: Emitter,
  address: Value,
  bytes: number,
  old: Local,
  change: (old: Value) => Value,
): void {
  const type = memoryType(bytes);
  e.set(old, loadFrom(loadOpcode(bytes, type), type, address, 0, guestRam));
  e.loop((again) => {
    const expected = e.let(e.get(old));
    e.set(old, compareExchange(exchanges[bytes] as number, address, expected, change(expected), guestRam));
    e.branchIf(e.ne(e.get(old), expected), again);
  });
}
