/**
 * Many bytes of RAM at once, within a page: what most of REP MOVS and REP STOS comes to. Each returns whether it was done (i32);
 * if not, nothing was.
 */
import type { Value } from '../../wasm/types.ts';
import { guestRam } from './access-opcodes.ts';
import type { Emitter } from './emitter.ts';
import type { Probe } from './tlb-entry.ts';

/** @param from of the lowest address, as `to`; @param bytes i64, bound; @param down whether it begins with the last of them: i32 */
export function emitCopy(e: Emitter, from: Probe, to: Probe, bytes: Value, down: Value): Value {
  const done = e.variable('i32', e.i32(0));
  e.code.if(e.and(from.hit, to.hit), () => {
    const length = e.let(e.wrap(bytes));
    const source = e.let(from.ram);
    const target = e.let(to.ram);
    // Overlapping with the target ahead of the source, REP MOVS repeats a pattern; memory.copy would not.
    const ahead = e.let(e.sub(target, source));
    const apart = e.select(down, e.sub(e.i32(0), ahead), ahead);
    e.code.if(e.geU(apart, length), () => {
      e.code.memoryCopy(guestRam, target, source, length);
      e.set(done, e.i32(1));
    });
  });
  return e.get(done);
}

/** @param probe of the lowest address, given whether it is going to matter (i32, bound); @param bytes i64 */
export function emitFill(
  e: Emitter,
  probe: (wanted: Value) => Probe,
  bytes: Value,
  element: Value,
  elementBytes: number,
): Value {
  const done = e.variable('i32', e.i32(0));
  const byte = e.let(e.and(e.wrap(element), 0xff));
  const pattern = 0x0101_0101_0101_0101n & ((1n << BigInt(elementBytes * 8)) - 1n);
  const repeated = e.resizeU(e.mul(e.extendU(byte), pattern), 64, elementBytes * 8);
  const isUniform = e.let(e.eq(repeated, element));
  const { hit, ram } = probe(isUniform);
  e.code.if(e.and(hit, isUniform), () => {
    e.code.memoryFill(guestRam, ram, byte, e.wrap(bytes));
    e.set(done, e.i32(1));
  });
  return e.get(done);
}
