/** Instruction fetch: linear address → record, through paging, limits and the record cache. */

import type { MmioBus } from '../device-model/mmio.ts';
import { type GuestMemory, pageSize } from '../memory/guest-memory.ts';
import type { DecodeMode } from './decode/instruction.ts';
import { generalProtection } from './guest-fault.ts';
import type { Interpreter } from './interpret/interpreter.ts';
import type { Mmu } from './mmu/mmu.ts';
import { segmentAt, segmentField, segmentIndex, state } from './state/layout.ts';

const maxInstruction = 15;
const two32 = 0x1_0000_0000;
const cacheSize = 1024;

/** What code is decoded as, derived from the CPU's mode. */
export interface FetchMode {
  readonly decode: DecodeMode;
  /** Small number that tells decoding modes apart in the record cache. */
  readonly index: number;
  /** Block key for the jump cache. */
  readonly key: number;
  /** One instruction at a time. */
  readonly step: boolean;
  readonly user: boolean;
}

export class Fetcher {
  readonly #view: DataView;
  readonly #memory: GuestMemory;
  readonly #mmio: MmioBus;
  readonly #mmu: Mmu;
  readonly #interpreter: Interpreter;
  /** Recently fetched pages: linear page × 2 + user → guest-physical page address and whether it is global. */
  readonly #tags = new Float64Array(cacheSize).fill(-1);
  readonly #pages = new Float64Array(cacheSize);
  readonly #global = new Uint8Array(cacheSize);
  /** Whether looked-up code may be found again without a lookup; lockstep runs want to see every entry. */
  caching = true;
  /** RAM offset of the code that `lookup` found last; -1 if its record is for one execution alone. */
  ramOffset = -1;

  constructor(view: DataView, memory: GuestMemory, mmio: MmioBus, mmu: Mmu, interpreter: Interpreter) {
    this.#view = view;
    this.#memory = memory;
    this.#mmio = mmio;
    this.#mmu = mmu;
    this.#interpreter = interpreter;
  }

  flush(): void {
    this.#tags.fill(-1);
  }

  /**
   * The record at state.rip, and state.codeBase for it.
   * @throws GuestFault for what the fetch raises (#PF, #GP).
   */
  lookup(mode: FetchMode): number {
    const view = this.#view;
    const low = view.getUint32(state.rip, true);
    const high = view.getInt32(state.rip + 4, true);
    const long = mode.decode.codeSize === 64;
    if ((high << 16) >> 16 !== high) throw generalProtection();
    const ip = high * two32 + low;
    let linear = ip;
    let whole = true;
    if (!long) {
      const limit = view.getUint32(segmentAt(segmentIndex.cs) + segmentField.limit, true);
      if (ip > limit) throw generalProtection();
      linear = (ip + view.getUint32(segmentAt(segmentIndex.cs) + segmentField.base, true)) % two32;
      whole = ip + (pageSize - 1 - (linear & 0xfff)) <= limit;
    }
    const within = linear & 0xfff;
    const codeBase = ip - within;
    view.setUint32(state.codeBase, codeBase >>> 0, true);
    view.setInt32(state.codeBase + 4, Math.floor(codeBase / two32), true);
    const slot = this.#translate(linear, mode.user);
    const physical = (this.#pages[slot] as number) + within;
    const offset = this.#memory.ramOffset(physical);
    if (offset < 0 || mode.step || !whole) return this.#single(mode, ip, linear, physical);
    this.ramOffset = offset;
    const record = this.#interpreter.code.find(offset, mode.decode, mode.index);
    if (record === 0) return this.#straddling(mode, ip, linear, slot);
    if (this.caching) this.#interpreter.jumps.enter(linear, mode.key, record, this.#global[slot] === 1);
    return record;
  }

  /** @returns the slot whose page `linear` lies in. @throws GuestFault #PF with CR2 = `linear`. */
  #translate(linear: number, user: boolean): number {
    const page = Math.floor(linear / pageSize);
    const slot = page & (cacheSize - 1);
    const tag = page * 2 + (user ? 1 : 0);
    if (this.#tags[slot] !== tag) {
      this.#pages[slot] = this.#mmu.translateFetch(linear) - (linear & 0xfff);
      this.#global[slot] = this.#mmu.walker.global ? 1 : 0;
      this.#tags[slot] = tag;
    }
    return slot;
  }

  /** An instruction that runs into the next page; found again as long as both pages stay where they are. */
  #straddling(mode: FetchMode, ip: number, linear: number, slot: number): number {
    const within = linear & 0xfff;
    const physical = (this.#pages[slot] as number) + within;
    if (mode.decode.codeSize !== 64) return this.#single(mode, ip, linear, physical);
    const global = this.#global[slot] === 1;
    const second = this.#translate(linear - within + pageSize, mode.user);
    const secondOffset = this.#memory.ramOffset(this.#pages[second] as number);
    if (secondOffset < 0) return this.#single(mode, ip, linear, physical);
    const bytes = new Uint8Array(maxInstruction);
    const first = pageSize - within;
    this.#copy(bytes, 0, physical, first);
    this.#copy(bytes, first, this.#pages[second] as number, maxInstruction - first);
    const { code, jumps } = this.#interpreter;
    const found = code.findStraddler(this.ramOffset, secondOffset / pageSize, bytes, mode.decode, mode.index);
    if (found === 0) return this.#single(mode, ip, linear, physical);
    if (this.caching) jumps.enter(linear, mode.key, found, global && this.#global[second] === 1);
    return found;
  }

  /**
   * One instruction, decoded for this execution alone: it straddles pages, is stepped, or lies near the limit. No byte
   * beyond the limit is fetched: its #GP(0) comes before a fault of the page that it would lie in.
   */
  #single(mode: FetchMode, ip: number, linear: number, physical: number): number {
    this.ramOffset = -1;
    const within = linear & 0xfff;
    const bytes = new Uint8Array(maxInstruction);
    const room = this.#roomAt(mode, ip);
    const first = Math.min(room, pageSize - within);
    this.#copy(bytes, 0, physical, first);
    const cache = this.#interpreter.code;
    let result = cache.transient(bytes.subarray(0, first), within, mode.decode);
    if (result.kind === 'truncated' && first < room) {
      const next = linear - within + pageSize;
      const wrapped = mode.decode.codeSize !== 64 && next === two32 ? 0 : next;
      const slot = this.#translate(wrapped, mode.user);
      this.#copy(bytes, first, this.#pages[slot] as number, room - first);
      result = cache.transient(bytes.subarray(0, room), within, mode.decode);
    }
    if (result.kind === 'truncated') throw generalProtection();
    return cache.transientRecord;
  }

  /** Bytes from `ip` on that an instruction may have. */
  #roomAt(mode: FetchMode, ip: number): number {
    if (mode.decode.codeSize === 64) return maxInstruction;
    const limit = this.#view.getUint32(segmentAt(segmentIndex.cs) + segmentField.limit, true);
    return Math.min(maxInstruction, limit - ip + 1);
  }

  #copy(target: Uint8Array, start: number, physical: number, length: number): void {
    const offset = this.#memory.ramOffset(physical);
    for (let n = 0; n < length; n++) {
      target[start + n] = offset >= 0 ? (this.#memory.bytes[offset + n] as number) : this.#mmio.read(physical + n, 1);
    }
  }
}
