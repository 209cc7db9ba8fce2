/**
 * Walks the paging structures. One walker for all modes; the result lies in reused fields because this runs at every
 * TLB miss. SDM Vol. 3A 4.3 (32-bit), 4.4 (PAE), 4.5 (4-level).
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { pageFaultError, physicalAddressBits, pte, pteHigh } from '../../spec/x86/paging.ts';

export type PagingMode = 'off' | '32-bit' | 'pae' | '4-level';

/** The control-register state that walks depend on. */
export interface PagingState {
  mode: PagingMode;
  /** CR3's page-directory base, or the four PDPTEs (low, high) in PAE mode. */
  base: number;
  readonly pdptes: Uint32Array;
  writeProtect: boolean;
  pageSizeExtensions: boolean;
  noExecute: boolean;
  smep: boolean;
  smap: boolean;
  /** Address mask of the A20 gate: bit 20 clear when it is shut. */
  a20Mask: number;
}

export type WalkAccess = 'read' | 'write' | 'fetch';

/** Who accesses. `implicit`: the processor itself, for descriptor tables and stacks of a new privilege level. */
export interface WalkRights {
  readonly user: boolean;
  /** EFLAGS.AC permits supervisor data accesses to user pages under SMAP. */
  readonly overrideSmap: boolean;
}

const highReserved = (0x000f_ffff & ~((1 << (physicalAddressBits - 32)) - 1)) >>> 0;
/** Mostly the high word is 0, and the sum a small integer. */
const addressOf = (low: number, high: number): number => {
  const within = (low & 0xffff_f000) >>> 0;
  return (high & 0x000f_ffff) === 0 ? within : (high & 0x000f_ffff) * 0x1_0000_0000 + within;
};

const two32 = 0x1_0000_0000;

/** Leaf reserved bits below the address of 2-MB, 1-GB and (32-bit, PSE-36 unsupported bits) 4-MB pages. */
const largeReserved = { 21: 0x001f_e000, 30: 0x3fff_e000 } as const;

export class Walker {
  readonly paging: PagingState;
  readonly #memory: GuestMemory;
  /** RAM; paging structures are aligned. */
  readonly #words: Int32Array;
  /** Result: guest-physical address of the 4-KB page. */
  physical = 0;
  writable = false;
  user = false;
  executable = false;
  global = false;
  dirty = false;
  /** Bytes that the leaf entry maps. */
  pageBytes = 4096;
  /** After a failed walk: the #PF error code. */
  errorCode = 0;
  #leafAddress = 0;
  #leafLow = 0;
  /** An entry changed under the walk. */
  #changed = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.bytes.buffer, 0, memory.size / 4);
    this.paging = {
      mode: 'off',
      base: 0,
      pdptes: new Uint32Array(8),
      writeProtect: false,
      pageSizeExtensions: false,
      noExecute: false,
      smep: false,
      smap: false,
      a20Mask: -1,
    };
  }

  /** Guest-physical address after the A20 gate. */
  gate(physical: number): number {
    return this.paging.a20Mask === -1 || (physical & 0x10_0000) === 0 ? physical : physical - 0x10_0000;
  }

  /**
   * Translates `linear` (canonical, as a signed number) for one access: checks rights, sets A and D.
   * @returns false with `errorCode` set for a #PF; true with the result fields set.
   */
  walk(linear: number, access: WalkAccess, rights: WalkRights): boolean {
    this.errorCode =
      (access === 'write' ? pageFaultError.write : 0) |
      (rights.user ? pageFaultError.user : 0) |
      (access === 'fetch' && (this.paging.noExecute || this.paging.smep) ? pageFaultError.fetch : 0);
    if (this.paging.mode === 'off') {
      this.physical = this.gate(linear - (linear & 0xfff));
      this.writable = true;
      this.user = true;
      this.executable = true;
      this.global = false;
      this.dirty = true;
      this.pageBytes = 4096;
      return true;
    }
    const { errorCode } = this;
    // An entry that another processor changes meanwhile is read again, with all above it.
    for (;;) {
      this.errorCode = errorCode;
      this.#changed = false;
      this.writable = true;
      this.user = true;
      this.executable = true;
      const found = this.paging.mode === '32-bit' ? this.#walk32(linear) : this.#walk64(linear);
      if (this.#changed) continue;
      if (!found) return false;
      if (!this.#permitted(access, rights)) {
        this.errorCode |= pageFaultError.present;
        return false;
      }
      const wanted = access === 'write' ? pte.accessed | pte.dirty : pte.accessed;
      if ((this.#leafLow & wanted) === wanted || this.#mark(this.#leafAddress, this.#leafLow, wanted)) break;
    }
    this.dirty ||= access === 'write';
    this.physical = this.gate(this.physical);
    return true;
  }

  /**
   * Sets accessed and dirty bits in the entry at `address`, if it still is `low`: one step, as other processors see it. SDM
   * Vol. 3A 4.8. Entries outside RAM keep nothing. @returns false if it has changed: the walk has to begin again
   */
  #mark(address: number, low: number, bits: number): boolean {
    const offset = this.#memory.ramOffset(address);
    if (offset < 0) return true;
    this.#memory.markWritten(offset, 4);
    const done = Atomics.compareExchange(this.#words, offset >>> 2, low | 0, low | bits) === (low | 0);
    this.#memory.written(offset, 4);
    this.#changed = !done;
    return done;
  }

  /** SDM Vol. 3A 4.6.1. */
  #permitted(access: WalkAccess, rights: WalkRights): boolean {
    const paging = this.paging;
    if (access === 'fetch') {
      if (!this.executable) return false;
      return rights.user ? this.user : !(this.user && paging.smep);
    }
    if (rights.user) return this.user && (access === 'read' || this.writable);
    if (this.user && paging.smap && !rights.overrideSmap) return false;
    return access === 'read' || this.writable || !paging.writeProtect;
  }

  #walk32(linear: number): boolean {
    const memory = this.#memory;
    const pdeAddress = this.gate(this.paging.base + ((linear >>> 22) << 2));
    const pde = memory.readU32(pdeAddress);
    if ((pde & pte.present) === 0) return false;
    const large = (pde & pte.pageSize) !== 0 && this.paging.pageSizeExtensions;
    if (large) {
      // PSE-36 is absent (CPUID says so): bits 21:13 are reserved.
      if ((pde & 0x003f_e000) !== 0) return this.#reserved();
      this.#combine(pde, 0);
      this.#leaf(pdeAddress, pde);
      this.pageBytes = 0x40_0000;
      this.physical = ((pde & 0xffc0_0000) >>> 0) + (linear & 0x003f_f000);
      return true;
    }
    if ((pde & pte.accessed) === 0 && !this.#mark(pdeAddress, pde, pte.accessed)) return false;
    this.#combine(pde, 0);
    const pteAddress = this.gate(((pde & 0xffff_f000) >>> 0) + ((linear >>> 10) & 0xffc));
    const entry = memory.readU32(pteAddress);
    if ((entry & pte.present) === 0) return false;
    this.#combine(entry, 0);
    this.#leaf(pteAddress, entry);
    this.pageBytes = 4096;
    this.physical = (entry & 0xffff_f000) >>> 0;
    return true;
  }

  /** A word of a paging structure; like an empty bus, what is not RAM reads as ones. */
  #word(address: number): number {
    const offset = this.#memory.ramOffset(address);
    return offset < 0 ? -1 : (this.#words[offset >>> 2] as number);
  }

  #walk64(linear: number): boolean {
    const { paging } = this;
    const low = linear | 0;
    const high = Math.floor(linear / two32) | 0;
    const pae = paging.mode === 'pae';
    let table = paging.base;
    let shift = 39;
    if (pae) {
      const slot = (low >>> 30) << 1;
      const pdpteLow = paging.pdptes[slot] as number;
      if ((pdpteLow & pte.present) === 0) return false;
      table = addressOf(pdpteLow, paging.pdptes[slot + 1] as number);
      shift = 21;
    }
    for (;;) {
      const page = shift > 32 ? high >>> (shift - 32) : (low >>> shift) | (shift === 30 ? high << 2 : 0);
      const address = this.gate(table + (page & 0x1ff) * 8);
      const entryLow = this.#word(address);
      if ((entryLow & pte.present) === 0) return false;
      const entryHigh = this.#word(address + 4);
      // Entries are written whole: the halves belong together if the first one is still there.
      if (this.#word(address) !== entryLow) {
        this.#changed = true;
        return false;
      }
      if ((entryHigh & highReserved) !== 0) return this.#reserved();
      if ((entryHigh & pteHigh.noExecute) !== 0 && !paging.noExecute) return this.#reserved();
      if (pae && (entryHigh & 0x7ff0_0000) !== 0) return this.#reserved();
      const large = shift !== 12 && (entryLow & pte.pageSize) !== 0;
      if (large && (shift === 39 || (entryLow & (shift === 30 ? largeReserved[30] : largeReserved[21])) !== 0)) {
        return this.#reserved();
      }
      this.#combine(entryLow, entryHigh);
      if (large || shift === 12) {
        this.#leaf(address, entryLow);
        this.pageBytes = shift === 12 ? 4096 : shift === 21 ? 0x20_0000 : 0x4000_0000;
        const within = shift === 12 ? 0 : low & ((shift === 30 ? 0x3fff_ffff : 0x1f_ffff) & ~0xfff);
        const base = shift === 12 ? entryLow : entryLow & (shift === 30 ? 0xc000_0000 : 0xffe0_0000);
        this.physical = addressOf(base, entryHigh) + within;
        return true;
      }
      if ((entryLow & pte.accessed) === 0 && !this.#mark(address, entryLow, pte.accessed)) return false;
      table = addressOf(entryLow, entryHigh);
      shift -= 9;
    }
  }

  #reserved(): boolean {
    this.errorCode |= pageFaultError.present | pageFaultError.reserved;
    return false;
  }

  #combine(low: number, high: number): void {
    if ((low & pte.writable) === 0) this.writable = false;
    if ((low & pte.user) === 0) this.user = false;
    if ((high & pteHigh.noExecute) !== 0 && this.paging.noExecute) this.executable = false;
  }

  #leaf(address: number, low: number): void {
    this.global = (low & pte.global) !== 0;
    this.dirty = (low & pte.dirty) !== 0;
    this.#leafAddress = address;
    this.#leafLow = low;
  }
}
