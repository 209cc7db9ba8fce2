/**
 * Guest-physical RAM: one shared WebAssembly.Memory, seen as low RAM from 0 and, beyond `lowSize`, high RAM from 4 GiB.
 * Everything that reads or writes guest RAM outside emitted code goes through here.
 */

import type { WasmMemory } from '../wasm/webassembly.ts';
import { allocatePageUsers, PageUsers } from './page-users.ts';

export const pageSize = 4096;
const highBase = 0x1_0000_0000;
/** RAM below this address; the rest of the first 4 GiB belongs to PCI, IOAPIC, HPET, local APIC and firmware. */
export const maxLowRam = 0xc000_0000;

/** A run of bytes by its offset into RAM. */
export interface RamPlace {
  readonly offset: number;
  readonly length: number;
}

/** Told before a write to a page that carries the `code` mark changes it. */
export type CodeWriteListener = (ramOffset: number, length: number) => void;

/** Bits of a page's flags byte. */
export const pageFlag = { dirty: 2 } as const;

/** Told after this thread, a processor's, has written to pages of which other processors hold code. */
export type RemoteCodeListener = (processors: number, ramOffset: number, length: number) => void;

/** The flags of `size` bytes of RAM, for every thread that shares them. */
export const allocatePageFlags = (size: number): SharedArrayBuffer => new SharedArrayBuffer(size / pageSize);

export class GuestMemory {
  /** Size of RAM in bytes, a multiple of the page size. */
  readonly size: number;
  /** Bytes of RAM below 4 GiB. */
  readonly lowSize: number;
  readonly memory: WasmMemory;
  readonly bytes: Uint8Array;
  /** One flags byte per page of RAM, indexed by RAM offset / 4096. Other threads change them too: only by atomics. */
  readonly pageFlags: Uint8Array<SharedArrayBuffer>;
  readonly users: PageUsers;
  readonly #view: DataView;
  /** What lies aligned moves at once; a DataView may do so byte by byte, which other threads would see. */
  readonly #words: Uint32Array;
  #codeWrite: CodeWriteListener = () => {};
  #remoteCode: RemoteCodeListener | undefined;

  /**
   * @param pageFlags those of the threads that share `memory`, from `allocatePageFlags`
   * @param users this thread's view of what processors do with pages
   */
  constructor(
    memory: WasmMemory,
    size: number,
    pageFlags: SharedArrayBuffer = allocatePageFlags(size),
    users: PageUsers = new PageUsers(allocatePageUsers(size), 0),
  ) {
    this.size = size;
    this.lowSize = Math.min(size, maxLowRam);
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer, 0, size);
    this.#view = new DataView(memory.buffer, 0, size);
    this.#words = new Uint32Array(memory.buffer, 0, size / 4);
    this.pageFlags = new Uint8Array(pageFlags);
    this.users = users;
  }

  onCodeWrite(listener: CodeWriteListener): void {
    this.#codeWrite = listener;
  }

  /** For a processor among several. */
  onRemoteCodeWrite(listener: RemoteCodeListener): void {
    this.#remoteCode = listener;
  }

  /** The offset into RAM of guest-physical `address`, or -1 where there is no RAM. */
  ramOffset(address: number): number {
    if (address < this.lowSize) return address;
    const offset = address - highBase + this.lowSize;
    return address >= highBase && offset < this.size ? offset : -1;
  }

  /** Whether `[address, address + length)` is RAM throughout and contiguous in it. */
  isRam(address: number, length: number): boolean {
    const first = this.ramOffset(address);
    return first >= 0 && length >= 0 && (length === 0 || this.ramOffset(address + length - 1) === first + length - 1);
  }

  #at(address: number, length: number): number {
    const offset = this.ramOffset(address);
    return offset >= 0 && offset + length <= this.size ? offset : -1;
  }

  #writable(address: number, length: number): number {
    const offset = this.#at(address, length);
    if (offset >= 0) this.markWritten(offset, length);
    return offset;
  }

  /**
   * Announces a write of this thread, a processor's, by offset into RAM: code translated from there is dropped, the pages
   * become dirty.
   */
  markWritten(offset: number, length: number): void {
    for (let page = Math.floor(offset / pageSize); page * pageSize < offset + length; page++) {
      if (this.users.holdsCode(page)) this.#codeWrite(offset, length);
      if (((this.pageFlags[page] as number) & pageFlag.dirty) === 0) Atomics.or(this.pageFlags, page, pageFlag.dirty);
    }
  }

  /** Follows a write that `markWritten` announced: other processors hear of it if they hold code from there. */
  written(offset: number, length: number): void {
    if (this.#remoteCode === undefined) return;
    for (let page = Math.floor(offset / pageSize); page * pageSize < offset + length; page++) {
      const others = this.users.otherCoders(page);
      if (others !== 0) this.#remoteCode(others, offset, length);
    }
  }

  /**
   * Follows writes of a thread that is no processor's, by offset into RAM: the pages become dirty.
   * @param code where to add what is returned
   * @returns the places in pages that may hold decoded code, which processors have to drop before the guest hears of the
   * writes. Whoever claims a page's code does it before it reads what it decodes, and there is a read-modify-write
   * operation on either side: the claim is seen here, or what was written is seen there.
   */
  publishWrite(offset: number, length: number, code: RamPlace[] = []): RamPlace[] {
    const end = offset + length;
    for (let from = offset; from < end; ) {
      const page = Math.floor(from / pageSize);
      const to = Math.min(end, (page + 1) * pageSize);
      Atomics.or(this.pageFlags, page, pageFlag.dirty);
      if (this.users.holdsCode(page)) code.push({ offset: from, length: to - from });
      from = to;
    }
    return code;
  }

  /** Drops the code that was decoded from a place that another thread has written to. */
  dropCode(offset: number, length: number): void {
    this.#codeWrite(offset, length);
  }

  /** Reads outside RAM give ones, as an empty bus does; writes there are dropped. */
  readU8(address: number): number {
    const offset = this.#at(address, 1);
    return offset < 0 ? 0xff : this.#view.getUint8(offset);
  }

  readU16(address: number): number {
    const offset = this.#at(address, 2);
    return offset < 0 ? 0xffff : this.#view.getUint16(offset, true);
  }

  readU32(address: number): number {
    const offset = this.#at(address, 4);
    if (offset < 0) return 0xffff_ffff;
    return (offset & 3) === 0 ? (this.#words[offset >>> 2] as number) : this.#view.getUint32(offset, true);
  }

  readU64(address: number): bigint {
    const offset = this.#at(address, 8);
    return offset < 0 ? 0xffff_ffff_ffff_ffffn : this.#view.getBigUint64(offset, true);
  }

  writeU8(address: number, value: number): void {
    const offset = this.#writable(address, 1);
    if (offset < 0) return;
    this.#view.setUint8(offset, value);
    this.written(offset, 1);
  }

  writeU16(address: number, value: number): void {
    const offset = this.#writable(address, 2);
    if (offset < 0) return;
    this.#view.setUint16(offset, value, true);
    this.written(offset, 2);
  }

  writeU32(address: number, value: number): void {
    const offset = this.#writable(address, 4);
    if (offset < 0) return;
    if ((offset & 3) === 0) this.#words[offset >>> 2] = value;
    else this.#view.setUint32(offset, value, true);
    this.written(offset, 4);
  }

  writeU64(address: number, value: bigint): void {
    const offset = this.#writable(address, 8);
    if (offset < 0) return;
    this.#view.setBigUint64(offset, value, true);
    this.written(offset, 8);
  }

  /** Copies out of RAM. @throws RangeError if the range is not RAM: callers check guest-given ranges with `isRam`. */
  read(address: number, length: number): Uint8Array {
    if (!this.isRam(address, length)) throw new RangeError(`0x${address.toString(16)}+${length} is not RAM`);
    const offset = this.ramOffset(address);
    return this.bytes.slice(offset, offset + length);
  }

  /** Copies into RAM. @throws RangeError if the range is not RAM: callers check guest-given ranges with `isRam`. */
  write(address: number, data: Uint8Array): void {
    if (data.length === 0) return;
    if (!this.isRam(address, data.length)) throw new RangeError(`0x${address.toString(16)}+${data.length} is not RAM`);
    const offset = this.#writable(address, data.length);
    this.bytes.set(data, offset);
    this.written(offset, data.length);
  }
}
