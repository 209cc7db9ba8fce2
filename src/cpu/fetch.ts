/** Instruction fetch: linear address → record, through paging, limits and the record cache. */

import type { MmioBus } from '../device-model/mmio.ts';
import { type GuestMemory, pageSize } from '../memory/guest-memory.ts';
import { decodeStatus } from './decode/decoder.ts';
import type { DecodeMode } from './decode/instruction.ts';
import { generalProtection } from './guest-fault.ts';
import type { Interpreter } from './interpret/interpreter.ts';
import type { CodeTlb } from './mmu/code-tlb.ts';
import type { Mmu } from './mmu/mmu.ts';
import { segmentAt, segmentField, segmentIndex, state } from './state/layout.ts';
import type { RegionPages } from './translate/job.ts';

const maxInstruction = 15;
const two32 = 0x1_0000_0000;

/** What code is decoded as, derived from the CPU's mode. */
export interface FetchMode {
  readonly decode: DecodeMode;
  /** Small number that tells decoding modes apart in the record cache. */
  readonly index: number;
  /** Whether regions are made of such code: 64-bit code, or 32-bit code with flat segments. Its offsets are linear addresses. */
  readonly translatable: boolean;
  /** Block key for the jump cache. */
  readonly key: number;
  /** One instruction at a time. */
  readonly step: boolean;
  readonly user: boolean;
}

/** Whether `linear`, counted on from other code, is an address: 32-bit code wraps, and is not followed there. */
const isAddressable = (linear: number, mode: FetchMode): boolean =>
  mode.decode.codeSize === 64 || (linear >= 0 && linear < two32);

export class Fetcher {
  readonly #view: DataView;
  readonly #memory: GuestMemory;
  readonly #mmio: MmioBus;
  readonly #mmu: Mmu;
  readonly #interpreter: Interpreter;
  readonly #codeTlb: CodeTlb;
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
    this.#codeTlb = mmu.codeTlb;
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
    if (mode.step || !whole) return this.#single(mode, ip, linear);
    const page = this.#ramPage(linear, mode);
    if (page < 0) return this.#single(mode, ip, linear);
    this.ramOffset = page + within;
    const { code, jumps, translator } = this.#interpreter;
    const record = code.find(this.ramOffset, mode.decode, mode.index);
    if (record === 0) return this.#straddling(mode, ip, linear);
    if (this.caching) jumps.enter(this.ramOffset, mode.index, record, translator.referenceOf(record));
    return record;
  }

  /**
   * Enters the page of state.rip into the code TLB, if that is what was missing: code that was known there still is.
   * @throws GuestFault #PF
   */
  refill(mode: FetchMode): boolean {
    const high = this.#view.getInt32(state.rip + 4, true);
    if (!mode.translatable || (high << 16) >> 16 !== high) return false;
    const linear = high * two32 + this.#view.getUint32(state.rip, true);
    return this.#codeTlb.find(linear, mode.key) < 0 && this.#ramPage(linear, mode) >= 0;
  }

  /** The RAM offset of the page that code at `linear` lies in; -1 outside RAM. @throws GuestFault #PF with CR2 = `linear`. */
  #ramPage(linear: number, mode: FetchMode): number {
    const known = this.#codeTlb.find(linear, mode.key);
    if (known >= 0) return known;
    const page = this.#memory.ramOffset(this.#mmu.translateFetch(linear) - (linear & 0xfff));
    if (page >= 0) this.#codeTlb.enter(linear, mode.key, page, this.#mmu.walker.global);
    return page;
  }

  /** Linear address of byte 0 of the page that state.codeBase points to, in code that is translated. */
  get codeBase(): number {
    return this.#view.getInt32(state.codeBase + 4, true) * two32 + this.#view.getUint32(state.codeBase, true);
  }

  /**
   * Enters pages around the present one, by distance, into the code TLB. @returns whether each lies at its RAM offset. No
   * fault comes of a page that is not there.
   */
  place(pages: RegionPages, mode: FetchMode): boolean {
    return pages.every(([distance, ramOffset]) => {
      const linear = this.codeBase + distance * pageSize;
      if (!isAddressable(linear, mode)) return false;
      const known = this.#codeTlb.find(linear, mode.key);
      if (known >= 0) return known === ramOffset;
      const physical = this.#mmu.probeFetch(linear);
      const page = physical < 0 ? -1 : this.#memory.ramOffset(physical);
      if (page >= 0) this.#codeTlb.enter(linear, mode.key, page, this.#mmu.walker.global);
      return page === ramOffset;
    });
  }

  /** An instruction that runs into the next page; found again as long as both pages stay where they are. */
  #straddling(mode: FetchMode, ip: number, linear: number): number {
    const within = linear & 0xfff;
    if (!mode.translatable || !isAddressable(linear + pageSize, mode)) return this.#single(mode, ip, linear);
    const second = this.#ramPage(linear - within + pageSize, mode);
    if (second < 0) return this.#single(mode, ip, linear);
    const { code, jumps } = this.#interpreter;
    const found = code.findStraddler(this.ramOffset, second / pageSize, mode.decode, mode.index);
    if (found === 0) return this.#single(mode, ip, linear);
    if (this.caching) jumps.enter(this.ramOffset, mode.index, found, 0);
    return found;
  }

  /**
   * One instruction, decoded for this execution alone: it straddles pages, is stepped, or lies near the limit. No byte
   * beyond the limit is fetched: its #GP(0) comes before a fault of the page that it would lie in.
   */
  #single(mode: FetchMode, ip: number, linear: number): number {
    this.ramOffset = -1;
    const within = linear & 0xfff;
    const bytes = new Uint8Array(maxInstruction);
    const room = this.#roomAt(mode, ip);
    const first = Math.min(room, pageSize - within);
    this.#copy(bytes, 0, linear, first, mode);
    const cache = this.#interpreter.code;
    let status = cache.transient(bytes.subarray(0, first), within, mode.decode);
    if (status === decodeStatus.truncated && first < room) {
      const next = linear - within + pageSize;
      const wrapped = mode.decode.codeSize !== 64 && next === two32 ? 0 : next;
      this.#copy(bytes, first, wrapped, room - first, mode);
      status = cache.transient(bytes.subarray(0, room), within, mode.decode);
    }
    if (status === decodeStatus.truncated) throw generalProtection();
    return cache.transientRecord;
  }

  /** Bytes from `ip` on that an instruction may have. */
  #roomAt(mode: FetchMode, ip: number): number {
    if (mode.decode.codeSize === 64) return maxInstruction;
    const limit = this.#view.getUint32(segmentAt(segmentIndex.cs) + segmentField.limit, true);
    return Math.min(maxInstruction, limit - ip + 1);
  }

  /**
   * Copies bytes of one page that are about to run. As everywhere, what the code TLB knows counts, not what the guest may
   * have made of its tables since. @throws GuestFault #PF
   */
  #copy(target: Uint8Array, start: number, linear: number, length: number, mode: FetchMode): void {
    const known = this.#codeTlb.find(linear, mode.key);
    const physical = known >= 0 ? 0 : this.#mmu.translateFetch(linear);
    const offset = known >= 0 ? known + (linear & 0xfff) : this.#memory.ramOffset(physical);
    for (let n = 0; n < length; n++) {
      target[start + n] = offset >= 0 ? (this.#memory.bytes[offset + n] as number) : this.#mmio.read(physical + n, 1);
    }
  }
}
