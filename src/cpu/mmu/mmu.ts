/**
 * Guest memory as the vCPU sees it outside emitted code: TLB misses, MMIO, accesses that straddle pages, and the slow
 * paths' own accesses. SDM Vol. 3A chapter 4; 5.13.1 on canonical addresses; 6.15 on #AC.
 */
import type { MmioBus } from '../../device-model/mmio.ts';
import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import { cr0, eflags } from '../../spec/x86/registers.ts';
import { GuestFault, generalProtection, stackFault } from '../guest-fault.ts';
import type { RamMoves } from '../interpret/shared-functions.ts';
import { status } from '../interpret/status.ts';
import { state, tlb, tlbContext, tlbSet } from '../state/layout.ts';
import { accessLinear, isCanonical } from './access-linear.ts';
import { AddressSpaces } from './address-spaces.ts';
import { CodeTlb } from './code-tlb.ts';
import { describeRam, selectRoot } from './emitted-walks.ts';
import { PhysicalAccess } from './physical.ts';
import { implicitRights, rightsOf, userRights } from './rights.ts';
import { Tlb } from './tlb.ts';
import { type WalkAccess, Walker, type WalkRights } from './walk.ts';
import { WriteLog } from './write-log.ts';

const pageFault = 14;
const alignmentCheck = 17;
const two32 = 0x1_0000_0000;
/** Where the slow paths' own accesses have their value. */
const slowValue = state.scratch + 16;
const contextShift = Math.log2(tlb.contextSize);
const checkedSet = tlbSet(tlbContext.checked);

/** Which data breakpoints an access hits; the debug unit provides it. */
export type WatchAccess = (linear: number, bytes: number, write: boolean) => void;

export class Mmu {
  readonly walker: Walker;
  readonly tlb: Tlb;
  readonly codeTlb: CodeTlb;
  readonly spaces: AddressSpaces;
  /** What lockstep runs write. */
  readonly log: WriteLog;
  readonly #memory: GuestMemory;
  readonly #physical: PhysicalAccess;
  readonly #view: DataView;
  /** RAM by offset, for those that got one from `ramAt`. */
  readonly ram: DataView;
  readonly #ramWords: Uint32Array;
  readonly #ramWords64: BigUint64Array;
  onWatch: WatchAccess | undefined;
  #holdsCode: (ramOffset: number, bytes: number) => boolean = () => true;
  #hasSiblings = false;

  constructor(vcpuMemory: SharedArrayBuffer, memory: GuestMemory, mmio: MmioBus) {
    this.#memory = memory;
    this.#view = new DataView(vcpuMemory);
    this.ram = new DataView(memory.bytes.buffer, 0, memory.size);
    this.#ramWords = new Uint32Array(memory.bytes.buffer, 0, memory.size / 4);
    this.#ramWords64 = new BigUint64Array(memory.bytes.buffer, 0, memory.size / 8);
    this.walker = new Walker(memory);
    this.log = new WriteLog(memory, () => this.pagingChanged());
    this.#physical = new PhysicalAccess(this.#view, memory, mmio, this.log);
    describeRam(this.#view, memory);
    this.pagingChanged();
    this.tlb = new Tlb(vcpuMemory);
    this.codeTlb = new CodeTlb(vcpuMemory);
    this.spaces = new AddressSpaces(vcpuMemory, this.tlb, this.codeTlb);
  }

  /** From now on single values move in one access. `holdsCode`: does writing bytes of RAM change what is decoded, or translated? */
  attach(moves: RamMoves, hasSiblings: boolean, holdsCode: (ramOffset: number, bytes: number) => boolean): void {
    this.#physical.moves = moves;
    this.#hasSiblings = hasSiblings;
    this.#holdsCode = holdsCode;
  }

  /** To be called when what `walker.paging` says has changed. */
  pagingChanged(): void {
    selectRoot(this.#view, this.#memory, this.walker.paging, !this.log.active);
  }

  /** Selects the TLB set after CPL, EFLAGS.AC, CR4.SMAP, alignment checking or data breakpoints changed. */
  selectContext(): void {
    const checked = this.onWatch !== undefined || this.#checksAlignment();
    this.#view.setInt32(state.tlbBase, tlbSet(checked ? tlbContext.checked : this.#privilegeContext()), true);
  }

  /** The access context that CPL, EFLAGS.AC and CR4.SMAP ask for. */
  #privilegeContext(): number {
    const view = this.#view;
    if (view.getInt32(state.cpl, true) === 3) return this.spaces.userContext;
    const open = !this.walker.paging.smap || (view.getInt32(state.eflags, true) & eflags.ac) !== 0;
    return open ? tlbContext.supervisor : tlbContext.supervisorNoUser;
  }

  /** Every access must be seen: alignment checks or data breakpoints are on. */
  get #checked(): boolean {
    return this.#view.getInt32(state.tlbBase, true) === checkedSet;
  }

  /** The context whose rights count. Emitted code switches it too, by way of state.tlbBase. */
  get #context(): number {
    const set = this.#view.getInt32(state.tlbBase, true);
    return set === checkedSet ? this.#privilegeContext() : (set - tlb.base) >> contextShift;
  }

  /**
   * @returns the linear address in `state.accessLinear` as a signed number.
   * @throws GuestFault if one of `bytes` from there on is not canonical.
   */
  #takeLinear(bytes: number, stack: boolean): number {
    const linear = accessLinear(this.#view);
    if (!isCanonical(linear, bytes)) throw stack ? stackFault() : generalProtection();
    return linear;
  }

  /** Translates for one access. @throws GuestFault #PF with CR2 set. */
  #translate(linear: number, access: WalkAccess, rights: WalkRights): number {
    if (!this.walker.walk(linear, access, rights)) throw this.#pageFault(linear);
    return this.walker.physical + (linear & 0xfff);
  }

  #pageFault(linear: number): GuestFault {
    this.#setFaultAddress(linear);
    return new GuestFault(pageFault, this.walker.errorCode);
  }

  #setFaultAddress(linear: number): void {
    this.#view.setUint32(state.cr2, linear >>> 0, true);
    this.#view.setInt32(state.cr2 + 4, Math.floor(linear / two32), true);
  }

  /** Records the #PF of the last walk for the run loop: guests live on them, and throwing one takes microseconds. */
  #recordPageFault(linear: number): number {
    this.#setFaultAddress(linear);
    this.#view.setInt32(state.fault, pageFault + 1, true);
    this.#view.setInt32(state.faultHasError, 1, true);
    this.#view.setInt32(state.faultError, this.walker.errorCode, true);
    return status.fault;
  }

  /** Translates for one access and enters the page into the TLB. @returns the physical address, -1 for a #PF. */
  #translateAndFill(linear: number, access: WalkAccess): number {
    const context = this.#context;
    if (!this.walker.walk(linear, access, rightsOf(context))) return -1;
    if (!this.#checked) this.#fill(linear, access, context);
    return this.walker.physical + (linear & 0xfff);
  }

  /** Enters the page that the walker has found for such an access, if it is RAM. @returns its RAM offset, or -1. */
  #fill(linear: number, access: WalkAccess, context: number): number {
    const { walker, tlb: table } = this;
    const page = this.#memory.ramOffset(walker.physical);
    if (page < 0) return -1;
    if (walker.pageBytes !== pageSize) table.noteLargePage(linear, walker.pageBytes);
    table.fill(context, false, linear, page, walker.global);
    if (access === 'write' && !this.log.active && this.#memory.users.claimWrite(page / pageSize))
      table.fill(context, true, linear, page, walker.global);
    return page;
  }

  /**
   * The offset into RAM of `linear`, for an access with the current rights or with the processor's own (`implicit`); -1
   * where it would not be a plain one: a fault, a device, a watched access, a write to a page with code. Raises nothing,
   * but sets the accessed and dirty bits of the access.
   */
  ramAt(linear: number, write: boolean, implicit: boolean): number {
    if (!implicit && this.#checked) return -1;
    const context = implicit ? this.#implicitContext : this.#context;
    const known = this.tlb.find(context, write, linear);
    if (known >= 0) return known;
    const access = write ? 'write' : 'read';
    if (!this.walker.walk(linear, access, rightsOf(context))) return -1;
    const page = this.#fill(linear, access, context);
    if (write) return this.tlb.find(context, true, linear);
    return page < 0 ? -1 : page + (linear & 0xfff);
  }

  /** Whether a write with the current rights raises nothing; the page counts as written to then. */
  mayWrite(linear: number): boolean {
    return this.walker.walk(linear, 'write', rightsOf(this.#context));
  }

  /** The TLB context with the rights of implicit accesses; only under SMAP the supervisor's explicit ones can be more. */
  get #implicitContext(): number {
    return this.walker.paging.smap ? tlbContext.supervisorNoUser : tlbContext.supervisor;
  }

  #checksAlignment(): boolean {
    if (this.#view.getInt32(state.cpl, true) !== 3) return false;
    const flags = this.#view.getInt32(state.eflags, true) & eflags.ac;
    return flags !== 0 && (this.#view.getInt32(state.cr0, true) & cr0.am) !== 0;
  }

  #check(linear: number, bytes: number, write: boolean): void {
    if (!this.#checked) return;
    if (bytes <= 8 && (linear & (bytes - 1)) !== 0 && this.#checksAlignment()) throw new GuestFault(alignmentCheck, 0);
    this.onWatch?.(linear, bytes, write);
  }

  /**
   * An access of emitted code that missed the TLB. Address in state.accessLinear, value in state.scratch.
   * @param inRegion refuse to write where code is known that may be running, and to wait for other processors
   * @returns a `status`: `next`, `fault` with a recorded #PF, `redo` if it was refused. @throws GuestFault for other faults.
   */
  accessSlow(kind: 'read' | 'readForWrite' | 'write', bytes: number, stack: boolean, inRegion: boolean): number {
    const linear = this.#takeLinear(bytes, stack);
    // Regions of 32-bit code do not look whether an access reaches beyond the last byte that there is.
    if (inRegion && linear + bytes > two32 && this.#view.getInt32(state.linearMask + 4, true) === 0) return status.redo;
    this.#check(linear, bytes, kind !== 'read');
    const split = Math.min(bytes, 4096 - (linear & 0xfff));
    const access = kind === 'read' ? 'read' : 'write';
    const first = this.#translateAndFill(linear, access);
    if (first < 0) return this.#recordPageFault(linear);
    if (inRegion && this.#refuses(access, first, split)) return status.redo;
    if (split === bytes) {
      this.#move(kind, first, state.scratch, bytes);
      return status.next;
    }
    const next = this.#nextPage(linear + split);
    const second = this.#translateAndFill(next, access);
    if (second < 0) return this.#recordPageFault(next);
    if (inRegion && this.#refuses(access, second, bytes - split)) return status.redo;
    this.#move(kind, first, state.scratch, split);
    this.#move(kind, second, state.scratch + split, bytes - split);
    return status.next;
  }

  /** While a processor waits it may lose write entries, and a region relies on what it looked up. */
  #refuses(access: 'read' | 'write', physical: number, bytes: number): boolean {
    const offset = this.#memory.ramOffset(physical);
    if (offset < 0 || access === 'read') return offset < 0 && this.#hasSiblings;
    return this.#memory.users.holdsCode(Math.floor(offset / pageSize)) && this.#holdsCode(offset, bytes);
  }

  #move(kind: 'read' | 'readForWrite' | 'write', physical: number, address: number, bytes: number): void {
    if (kind === 'write') this.#physical.copyOut(physical, address, bytes);
    else this.#physical.copyIn(physical, address, bytes);
  }

  /** The page after the last of a 32-bit linear space is its first. */
  #nextPage(linear: number): number {
    return linear === two32 && this.walker.paging.mode !== '4-level' ? 0 : linear;
  }

  /** Guest-physical address of an instruction byte. @throws GuestFault #PF. */
  translateFetch(linear: number): number {
    const user = this.#view.getInt32(state.cpl, true) === 3;
    const physical = this.#translate(linear, 'fetch', user ? userRights : implicitRights);
    if (this.walker.pageBytes !== pageSize) this.tlb.noteLargePage(linear, this.walker.pageBytes);
    return physical;
  }

  /** Guest-physical address of the page that code at `linear` would be fetched from; -1 where that would fault. */
  probeFetch(linear: number): number {
    const user = this.#view.getInt32(state.cpl, true) === 3;
    if (!this.walker.walk(linear, 'fetch', user ? userRights : implicitRights)) return -1;
    if (this.walker.pageBytes !== pageSize) this.tlb.noteLargePage(linear, this.walker.pageBytes);
    return this.walker.physical;
  }

  /** Whether a linear address translates at all for reading, without faulting: for reports. Physical address or -1. */
  probe(linear: number): number {
    const { walker } = this;
    return walker.walk(linear, 'read', rightsOf(tlbContext.supervisor)) ? walker.physical + (linear & 0xfff) : -1;
  }

  // The slow paths' own accesses: a value in, a value out, GuestFault thrown.

  /** The value lies in, or comes to, the second half of state.scratch. */
  #access(linear: number, bytes: number, write: boolean, rights: WalkRights): void {
    const split = Math.min(bytes, 4096 - (linear & 0xfff));
    const access = write ? 'write' : 'read';
    const first = this.#translate(linear, access, rights);
    if (split === bytes) {
      this.#move(access, first, slowValue, bytes);
      return;
    }
    const second = this.#translate(this.#nextPage(linear + split), access, rights);
    this.#move(access, first, slowValue, split);
    this.#move(access, second, slowValue + split, bytes - split);
  }

  /** As `ramAt`; -1 as well for what two pages share. */
  #plainRead(linear: number, bytes: number, implicit: boolean): number {
    return (linear & 0xfff) + bytes <= pageSize ? this.ramAt(linear, false, implicit) : -1;
  }

  /** The current privilege level's rights, or those of the processor itself. */
  #rights(implicit: boolean): WalkRights {
    return implicit ? implicitRights : rightsOf(this.#context);
  }

  /** Reads 1, 2, 4 or 8 bytes. `implicit`: as the processor itself (descriptor tables, TSS, stacks of inner levels). */
  read(linear: number, bytes: 1 | 2 | 4, implicit = false): number {
    const plain = this.#plainRead(linear, bytes, implicit);
    if (plain >= 0) return this.#plain(plain, bytes);
    if (!implicit) this.#check(linear, bytes, false);
    this.#access(linear, bytes, false, this.#rights(implicit));
    if (bytes === 1) return this.#view.getUint8(slowValue);
    return bytes === 2 ? this.#view.getUint16(slowValue, true) : this.#view.getUint32(slowValue, true);
  }

  /** In one access, as other processors may write there: a DataView may go byte by byte. */
  #plain(offset: number, bytes: 1 | 2 | 4): number {
    if (bytes === 1) return this.ram.getUint8(offset);
    if (bytes === 4 && (offset & 3) === 0) return this.#ramWords[offset >>> 2] as number;
    this.#physical.ramIn(offset, slowValue, bytes);
    return bytes === 2 ? this.#view.getUint16(slowValue, true) : this.#view.getUint32(slowValue, true);
  }

  read64(linear: number, implicit = false): bigint {
    const plain = this.#plainRead(linear, 8, implicit);
    if (plain >= 0) {
      if ((plain & 7) === 0) return this.#ramWords64[plain >>> 3] as bigint;
      this.#physical.ramIn(plain, slowValue, 8);
      return this.#view.getBigUint64(slowValue, true);
    }
    if (!implicit) this.#check(linear, 8, false);
    this.#access(linear, 8, false, this.#rights(implicit));
    return this.#view.getBigUint64(slowValue, true);
  }

  write(linear: number, bytes: 1 | 2 | 4, value: number, implicit = false): void {
    if (!implicit) this.#check(linear, bytes, true);
    this.#view.setUint32(slowValue, value >>> 0, true);
    this.#access(linear, bytes, true, this.#rights(implicit));
  }

  write64(linear: number, value: bigint, implicit = false): void {
    if (!implicit) this.#check(linear, 8, true);
    this.#view.setBigUint64(slowValue, BigInt.asUintN(64, value), true);
    this.#access(linear, 8, true, this.#rights(implicit));
  }

  /** Demands that `bytes` at `linear` can be written, before a slow path writes several pieces. */
  probeWrite(linear: number, bytes: number, implicit = false): void {
    if (!implicit) this.#check(linear, bytes, true);
    const rights = this.#rights(implicit);
    this.#translate(linear, 'write', rights);
    const split = 4096 - (linear & 0xfff);
    if (bytes > split) this.#translate(this.#nextPage(linear + split), 'write', rights);
  }

  // Ranges of up to a page: state images, operands wider than 8 bytes. They go by the TLB that emitted code uses.

  /** Guest-physical address of `linear`, or -1 - (offset into RAM) where there is RAM. */
  #locate(linear: number, access: 'read' | 'write'): number {
    const known = this.#checked ? -1 : this.tlb.find(this.#context, access === 'write', linear);
    if (known >= 0) return -1 - known;
    const physical = this.#translateAndFill(linear, access);
    if (physical < 0) throw this.#pageFault(linear);
    const offset = this.#memory.ramOffset(physical);
    return offset >= 0 ? -1 - offset : physical;
  }

  #movePiece(place: number, address: number, bytes: number, access: 'read' | 'write'): void {
    const offset = -1 - place;
    if (access === 'read') {
      if (place >= 0) this.#physical.copyIn(place, address, bytes);
      else this.#physical.ramIn(offset, address, bytes);
    } else if (place >= 0) this.#physical.copyOut(place, address, bytes);
    else {
      this.#memory.markWritten(offset, bytes);
      this.#physical.ramOut(offset, address, bytes);
      this.#memory.written(offset, bytes);
    }
  }

  /** Faults as a read or a write of `bytes` at `linear` would, within the vCPU's current rights. */
  touch(linear: number, bytes: number, write: boolean): void {
    const access = write ? 'write' : 'read';
    this.#locate(linear, access);
    const split = 4096 - (linear & 0xfff);
    if (bytes > split) this.#locate(this.#nextPage(linear + split), access);
  }

  /** #AC if alignment checks are on and `linear` is no multiple of `alignment`. */
  checkAlignment(linear: number, alignment: number): void {
    if ((linear & (alignment - 1)) !== 0 && this.#checksAlignment()) throw new GuestFault(alignmentCheck, 0);
  }

  /** Copies `bytes` (up to a page) at `linear` to `address` in the vCPU's memory; nothing if any of it faults. */
  readRange(linear: number, address: number, bytes: number): void {
    this.#moveRange(linear, address, bytes, 'read');
  }

  /** Copies `bytes` (up to a page) at `address` in the vCPU's memory to `linear`; nothing if any of it faults. */
  writeRange(linear: number, address: number, bytes: number): void {
    this.#moveRange(linear, address, bytes, 'write');
  }

  #moveRange(linear: number, address: number, bytes: number, access: 'read' | 'write'): void {
    this.#check(linear, bytes, access === 'write');
    const split = Math.min(bytes, 4096 - (linear & 0xfff));
    const first = this.#locate(linear, access);
    const second = split < bytes ? this.#locate(this.#nextPage(linear + split), access) : first;
    this.#movePiece(first, address, split, access);
    if (split < bytes) this.#movePiece(second, address + split, bytes - split, access);
  }
}
