/**
 * Page walks without leaving WebAssembly: what most TLB misses come to. 4-level paging, RAM, accessed and dirty bits that are
 * set already; the rest is `Mmu`'s, whose walks and entries these do as well. SDM Vol. 3A 4.5, 4.6.1, 4.8.
 */

import { pageUsers } from '../../memory/page-users.ts';
import { physicalAddressBits, pte } from '../../spec/x86/paging.ts';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { compareExchange, i32Constant, loadI32, loadI64 } from '../../wasm/expression.ts';
import type { ModuleBuilder } from '../../wasm/module-builder.ts';
import { atomic, store } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import { guestRam } from '../emit/access-opcodes.ts';
import { Emitter } from '../emit/emitter.ts';
import { tlbEntry } from '../emit/tlb-entry.ts';
import { passable } from '../mmu/emitted-walks.ts';
import { engine, fillLog, largePages, state, tlb, tlbContext, tlbSet } from '../state/layout.ts';
import { pageUsersMemory } from './memories.ts';

export const pageBits = 12;
const levelBits = 9;
const rootShift = pageBits + 3 * levelBits;
const hugeShift = pageBits + 2 * levelBits;
/** Of a table's entry, which takes 8 bytes: its offset in the table. */
const indexMask = ((1 << levelBits) - 1) << 3;
const frameBits = physicalAddressBits - pageBits;
/** Pages below 4 GiB. */
const pagesOf4G = 1 << 20;
export const pageMask = -4096n;

/** The page of RAM (i32) of a page of the guest-physical address space (i32, bound); `absent` must not fall through. */
function ramPageOf(e: Emitter, frame: Value, absent: () => void): Value {
  const low = e.let(e.loadState32(engine.lowPages));
  const page = e.variable('i32', frame);
  e.ifUnlikely(e.geU(frame, low), () => {
    e.set(page, e.add(e.sub(frame, pagesOf4G), low));
    e.if(e.or(e.ltU(frame, pagesOf4G), e.geU(e.get(page), e.loadState32(engine.ramPages))), absent);
  });
  return e.get(page);
}

/** Notes an entry of the TLB, by its address, for the next flush of `context`; see `Tlb`. */
function note(e: Emitter, context: Value, entry: Value): void {
  const user = e.let(e.geU(context, tlbContext.user));
  const log = e.let(e.add(e.mul(e.select(user, context, e.i32(0)), fillLog.size), fillLog.base));
  const count = e.let(e.loadState32(log));
  e.if(e.ltU(count, e.select(user, e.i32(fillLog.mostOfUser), e.i32(fillLog.mostOfSupervisor))), () => {
    const at = e.add(log, e.shl(count, 2));
    e.storeState(store.i32, at, fillLog.words, e.shrU(entry, 2));
  });
  e.storeState(store.i32, log, 0, e.add(count, 1));
}

function fill(e: Emitter, context: Value, entry: Value, linear: Value, ramPage: Value, global: Value): void {
  const page = e.let(e.and(linear, pageMask));
  e.storeState(store.i64, entry, tlb.tag, page);
  e.storeState(store.i32, entry, tlb.addend, e.sub(e.shl(ramPage, pageBits), e.wrap(page)));
  e.if(e.or(e.isZero(global), e.geU(context, tlbContext.user)), () => note(e, context, entry));
}

/** Looks an address up in the paging structures; `refuse` must not fall through. */
function walk(e: Emitter, linear: Value, refuse: () => void) {
  const table = e.variable('i32', e.loadState32(engine.walkRoot));
  const shift = e.variable('i64', e.i64(rootShift));
  const rights = e.variable('i64', e.i64(-1));
  const entry = e.variable('i64');
  const frame = e.variable('i32');
  e.block((found) => {
    e.loop((again) => {
      const index = e.and(e.wrap(e.shrU(linear, e.sub(e.get(shift), 3n))), indexMask);
      e.set(entry, loadI64(e.add(e.get(table), index), 0, guestRam));
      e.ifUnlikely(e.ne(e.and(e.get(entry), e.loadState64(engine.walkMask)), passable), refuse);
      e.set(rights, e.and(e.get(rights), e.get(entry)));
      e.set(frame, e.and(e.wrap(e.shrU(e.get(entry), BigInt(pageBits))), (1 << frameBits) - 1));
      e.branchIf(e.eq(e.get(shift), BigInt(pageBits)), found);
      e.if(e.ne(e.and(e.get(entry), BigInt(pte.pageSize)), 0n), () => {
        e.if(e.gtU(e.get(shift), BigInt(hugeShift)), refuse);
        // Bit 12 is PAT; what lies between it and the address is reserved.
        const within = e.let(e.sub(e.shl(e.i32(1), e.wrap(e.sub(e.get(shift), BigInt(pageBits)))), 1));
        e.if(e.and(e.get(frame), e.and(within, -2)), refuse);
        const page = e.wrap(e.shrU(linear, BigInt(pageBits)));
        e.set(frame, e.or(e.and(e.get(frame), e.not(within)), e.and(page, within)));
        // Who flushes one piece has to know that it is one.
        const number = e.let(e.wrap(e.shrS(linear, BigInt(largePages.shift))));
        const known = e.shl(e.and(number, largePages.entries - 1), 2);
        e.if(e.ne(e.loadState32(known, largePages.base), number), refuse);
        e.branch(found);
      });
      e.set(table, e.shl(ramPageOf(e, e.get(frame), refuse), pageBits));
      e.set(shift, e.sub(e.get(shift), BigInt(levelBits)));
      e.branch(again);
    });
  });
  return { frame: e.get(frame), rights: e.get(rights), leaf: e.get(entry) };
}

/**
 * As `PageUsers.claimWrite`: nobody may hold code of the page, and this processor must be known to write to it.
 * @returns who holds code: a bit each, i32
 */
function claimWrite(e: Emitter, ramPage: Value, refuse: () => void): Value {
  const word = e.let(e.shl(ramPage, 2));
  const users = e.let(loadI32(word, 0, pageUsersMemory));
  const coders = e.let(e.and(users, pageUsers.coders));
  const own = e.let(e.loadState32(engine.writerBit));
  e.if(e.and(e.isZero(coders), e.ne(e.and(users, own), own)), () => {
    const before = compareExchange(atomic.i32CompareExchange, word, users, e.or(users, own), pageUsersMemory);
    e.if(e.ne(before, users), refuse);
  });
  return coders;
}

/**
 * What a walk comes to. `refused`: nothing has changed. `entered`: the page is in the TLB now, to be read or to be read and written.
 * `beside`: it may be written to, but has code; it is in the TLB to be read.
 */
export const walked = { refused: 0, entered: 1, beside: 2 } as const;

/** Defines (linear address: i64, whether for a write: i32) → i32, of `walked`. */
export function definePageWalk(module: ModuleBuilder): number {
  const type = { parameters: ['i64', 'i32'], results: ['i32'] } as const;
  const index = module.declare(type);
  const code = new CodeBuilder(type.parameters);
  const e = new Emitter(code);
  const [linear, write] = [code.get(code.parameter(0)), code.get(code.parameter(1))];
  const refuse = (): void => code.return(i32Constant(walked.refused));
  const has = (value: Value, bit: number): Value => e.and(e.wrap(value), bit);

  e.ifUnlikely(e.and(e.loadState32(engine.walkRoot), 1), refuse);
  const set = e.let(e.loadState32(state.tlbBase));
  e.ifUnlikely(e.eq(set, tlbSet(tlbContext.checked)), refuse);
  e.ifUnlikely(e.ne(e.shrS(e.shl(linear, 16n), 16n), linear), refuse);
  const { frame, rights, leaf } = walk(e, linear, refuse);

  const context = e.let(e.shrU(e.sub(set, tlb.base), Math.log2(tlb.contextSize)));
  const isUser = e.geU(context, tlbContext.user);
  const noUser = e.eq(context, tlbContext.supervisorNoUser);
  const denied = e.or(e.and(isUser, e.isZero(has(rights, pte.user))), e.and(noUser, e.ne(has(rights, pte.user), 0)));
  e.ifUnlikely(denied, refuse);
  const ramPage = e.let(ramPageOf(e, frame, refuse));
  const holdsCode = e.variable('i32');
  e.if(write, () => {
    const dirty = e.and(e.wrap(leaf), pte.dirty);
    e.ifUnlikely(e.or(e.isZero(has(rights, pte.writable)), e.isZero(dirty)), refuse);
    e.set(holdsCode, claimWrite(e, ramPage, refuse));
  });

  const entry = e.let(tlbEntry(e, set, linear));
  const global = e.let(has(leaf, pte.global));
  fill(e, context, entry, linear, ramPage, global);
  const flags = e.let(e.shl(context, 2));
  e.storeState(store.i32, flags, fillLog.used, e.i32(1));
  e.storeState64(engine.tlbFills, e.add(e.loadState64(engine.tlbFills), 1n));
  e.if(e.get(holdsCode), () => code.return(i32Constant(walked.beside)));
  e.if(write, () => {
    fill(e, context, e.let(e.add(entry, tlb.writeOffset)), linear, ramPage, global);
    e.storeState(store.i32, flags, fillLog.writable, e.i32(1));
  });
  code.value(i32Constant(walked.entered));
  module.define(index, code);
  return index;
}
