/**
 * Emits the way from a linear address to its code, without leaving WebAssembly: the target cache, or code TLB and jump
 * cache.
 */
import { callFor, loadFrom } from '../../wasm/expression.ts';
import { load, store } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Emitter } from '../emit/emitter.ts';
import { codeTlb, codeTlbMix, engine, jumpCache, siteCache, state, targetCache } from '../state/layout.ts';

/** Address of the code TLB's entry for the page of `linear` (i64): i32. */
function codeTlbEntry(e: Emitter, linear: Value): Value {
  const page = e.and(e.wrap(e.shrU(linear, 12)), codeTlb.entries - 1);
  const index = e.xor(page, e.and(e.shl(e.loadState32(engine.codeKey), codeTlbMix.shift), codeTlbMix.mask));
  return e.add(e.shl(index, 4), codeTlb.base);
}

/** The tag under which the page of `linear` (i64) would be entered now: i64. */
const codeTag = (e: Emitter, linear: Value): Value =>
  e.or(e.and(linear, -4096n), loadFrom(load.i64_32u, 'i64', e.i32(0), engine.codeKey, 0));

/** i32: does the code TLB say that the page of `linear` (i64, bound) lies at RAM offset `ramOffset`? */
export function liesAt(e: Emitter, linear: Value, ramOffset: Value | number): Value {
  const entry = e.let(codeTlbEntry(e, linear));
  return e.and(
    e.eq(e.loadState64(entry, codeTlb.tag), codeTag(e, linear)),
    e.eq(e.loadState32(entry, codeTlb.page), ramOffset),
  );
}

/** Calls `use` with the RAM offset of the page of `linear` (i64, bound), if the code TLB has it. */
export function withCodePage(e: Emitter, linear: Value, use: (page: Value) => void): void {
  const entry = e.let(codeTlbEntry(e, linear));
  e.if(e.eq(e.loadState64(entry, codeTlb.tag), codeTag(e, linear)), () => use(e.loadState32(entry, codeTlb.page)));
}

/** Address of the jump-cache entry for code at `linear` (i64, bound): i32, bound. `missing` must not fall through. */
function jumpCacheEntry(e: Emitter, linear: Value, missing: () => void): Value {
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

/** Address of the target cache's entry for `linear` (i64, bound): i32. Functions begin at multiples of 16. */
function targetCacheEntry(e: Emitter, linear: Value): Value {
  const low = e.let(e.wrap(linear));
  const index = e.and(e.xor(low, e.shrU(low, 11)), targetCache.entries - 1);
  return e.add(e.shl(index, Math.log2(targetCache.entrySize)), targetCache.base);
}

/** The address of the site cache's entry for the jump at RAM offset `site` to `distance` from it (0: it varies). */
export function siteCacheEntry(site: number, distance: number): number {
  const hash = Math.imul(site + Math.imul(distance, 31), 0x9e37_79b1) >>> (32 - siteCache.entryBits);
  return siteCache.base + hash * targetCache.entrySize;
}

/** i32: mappings of code and code key, in one word: what was found out about code under them still holds. */
export const currentKey = (e: Emitter): Value => e.or(e.loadState32(engine.mapping), e.loadState32(engine.codeKey));

/** i64: 0 if an entry is that of `linear`, and still good. */
const differs = (e: Emitter, there: Value, linear: Value, thereKey: Value, key: Value): Value =>
  e.or(e.xor(there, linear), e.extendU(e.xor(thereKey, key)));

/**
 * As `emitLookup`, from a jump out of a region.
 * @param site address of the site cache's entry for it: i32, bound
 * @returns an address of an entry: i32, bound
 */
export function emitSiteLookup(e: Emitter, linear: Value, site: Value, find: number, missing: () => void): Value {
  const key = e.let(currentKey(e));
  const entry = e.variable('i32', site);
  const other = differs(e, e.loadState64(site, targetCache.linear), linear, e.loadState32(site, targetCache.key), key);
  e.if(e.ne(other, 0n), () => {
    e.set(entry, emitLookup(e, linear, find, missing));
    // The record lies behind the key, nothing behind the region.
    for (const field of ['linear', 'key', 'region'] as const) {
      e.storeState(store.i64, site, targetCache[field], e.loadState64(e.get(entry), targetCache[field]));
    }
  });
  return e.get(entry);
}

/**
 * @param linear i64, bound
 * @param find number of the function that `emitFind` makes
 * @param missing emits what happens when nothing is known; must not fall through
 * @returns the address of the target cache's entry: i32, bound
 */
export function emitLookup(e: Emitter, linear: Value, find: number, missing: () => void): Value {
  const entry = e.let(targetCacheEntry(e, linear));
  const there = e.let(e.loadState64(entry, targetCache.linear));
  const other = differs(e, there, linear, e.loadState32(entry, targetCache.key), currentKey(e));
  e.ifUnlikely(e.ne(other, 0n), () => {
    e.ifUnlikely(e.isZero(callFor('i32', find, [linear, there])), missing);
  });
  return entry;
}

/**
 * The body of (linear i64, what the target cache had instead i64) → i32: enters the code there in the target cache; 0 if
 * nothing is known. The second parameter is there because V8 does a load twice that nothing but a comparison uses.
 */
export function emitFind(e: Emitter): void {
  const linear = e.get(e.code.parameter(0));
  const found = jumpCacheEntry(e, linear, () => e.code.return(e.i32(0)));
  const entry = e.let(targetCacheEntry(e, linear));
  e.storeState(store.i64, entry, targetCache.linear, linear);
  e.storeState(store.i32, entry, targetCache.key, currentKey(e));
  for (const field of ['record', 'region'] as const) {
    e.storeState(store.i32, entry, targetCache[field], e.loadState32(found, jumpCache[field]));
  }
  e.code.value(entry);
}
