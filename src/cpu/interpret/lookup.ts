/** Emits the way from a linear address to its code, without leaving WebAssembly: code TLB, then jump cache. */
import { loadFrom } from '../../wasm/expression.ts';
import { load } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Emitter } from '../emit/emitter.ts';
import { codeTlb, jumpCache, state } from '../state/layout.ts';

/** Address of the code TLB's entry for the page of `linear` (i64): i32. */
function codeTlbEntry(e: Emitter, linear: Value): Value {
  const index = e.and(e.wrap(e.shrU(linear, 12)), codeTlb.entries - 1);
  return e.add(e.shl(index, 4), codeTlb.base);
}

/** The tag under which the page of `linear` (i64) would be entered now: i64. */
const codeTag = (e: Emitter, linear: Value): Value =>
  e.or(e.and(linear, -4096n), loadFrom(load.i64_32u, 'i64', e.i32(0), state.blockKey, 0));

/** i32: does the code TLB say that the page of `linear` (i64, bound) lies at RAM offset `ramOffset`? */
export function liesAt(e: Emitter, linear: Value, ramOffset: Value | number): Value {
  const entry = e.let(codeTlbEntry(e, linear));
  return e.and(
    e.eq(e.loadState64(entry, codeTlb.tag), codeTag(e, linear)),
    e.eq(e.loadState32(entry, codeTlb.page), ramOffset),
  );
}

/**
 * @param linear i64, bound
 * @param missing emits what happens when nothing is known; must not fall through
 * @returns the address of the jump-cache entry: i32, bound
 */
export function emitLookup(e: Emitter, linear: Value, missing: () => void): Value {
  const page = e.let(codeTlbEntry(e, linear));
  e.ifUnlikely(e.ne(e.loadState64(page, codeTlb.tag), codeTag(e, linear)), missing);
  const ramOffset = e.let(e.or(e.loadState32(page, codeTlb.page), e.and(e.wrap(linear), 0xfff)));
  const index = e.and(e.xor(ramOffset, e.shrU(ramOffset, jumpCache.setBits)), jumpCache.sets - 1);
  const entry = e.variable('i32', e.add(e.shl(index, Math.log2(jumpCache.setSize)), jumpCache.base));
  const wanted = e.let(e.or(e.extendU(ramOffset), e.loadState64(state.jumpTag)));
  e.ifUnlikely(e.ne(e.loadState64(e.get(entry), jumpCache.tag), wanted), () => {
    e.set(entry, e.add(e.get(entry), jumpCache.entrySize));
    e.ifUnlikely(e.ne(e.loadState64(e.get(entry), jumpCache.tag), wanted), missing);
  });
  return e.get(entry);
}
