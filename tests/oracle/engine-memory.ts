/**
 * Guest RAM for the engine's side of the oracle: page tables with the regions of `layout.ts`, Linux's segments, and an IDT
 * whose 256 handlers are each a HLT in a place of its own, so that where the guest halts tells what it raised.
 */
import type { GuestMemory } from '../../src/memory/guest-memory.ts';
import { basePattern, gdt, gdtEntries, ldt, region } from './layout.ts';

/** Guest-physical addresses. */
export const physical = {
  code: 0x1_0000,
  data: 0x2_0000,
  readOnly: 0x2_2000,
  pml4: 0x3_0000,
  system: 0x4_0000,
  ramSize: 0x10_0000,
} as const;

const pageSize = 0x1000;
const systemSize = 0x8000;

/** Linear addresses of what belongs to the supervisor. */
const systemLinear = 0x4000_0000;
export const system = {
  gdt: systemLinear,
  gdtLimit: 8 * gdtEntries - 1,
  ldt: systemLinear + 0x1000,
  ldtLimit: 8 * ldt.length - 1,
  idt: systemLinear + 0x2000,
  idtLimit: 256 * 16 - 1,
  tss: systemLinear + 0x3000,
  tssLimit: 103,
  /** Handler of vector v: a HLT at `handlers + 16 * v`. */
  handlers: systemLinear + 0x4000,
  handlerSize: 16,
  stackTop: systemLinear + 0x7000,
} as const;

export const kernelCode = 0x10;
export const tssSelector = 0x40;
export const ldtSelector = 0x50;

const pageBit = { present: 1n, write: 2n, user: 4n, noExecute: 1n << 63n } as const;
const userTable = pageBit.present | pageBit.write | pageBit.user;
const halt = 0xf4;
const breakpoint = 0xcc;
/** Vectors whose gates user code may call by INT n, as in Linux. */
const userGates = new Set([3, 4]);

class PageTables {
  readonly #memory: GuestMemory;
  #next = physical.pml4 + pageSize;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** The table that entry `index` of `table` points to, made on first use. */
  #child(table: number, index: number): number {
    const entry = this.#memory.readU64(table + 8 * index);
    if (entry !== 0n) return Number(entry & ~0xfffn);
    const made = this.#next;
    this.#next += pageSize;
    this.#memory.writeU64(table + 8 * index, BigInt(made) | userTable);
    return made;
  }

  map(linear: number, to: number, size: number, bits: bigint): void {
    for (let offset = 0; offset < size; offset += pageSize) {
      const address = linear + offset;
      const directory = this.#child(this.#child(physical.pml4, 0), Math.floor(address / 2 ** 30));
      const table = this.#child(directory, (address >>> 21) & 511);
      this.#memory.writeU64(table + 8 * ((address >>> 12) & 511), BigInt(to + offset) | bits);
    }
  }
}

/** The two halves of a 16-byte system-segment descriptor (SDM Vol. 3A 7.2.3, 3.5). */
function systemDescriptor(base: number, limit: number, type: number): bigint {
  const present = 0x80;
  const low = (BigInt(base & 0xff_ffff) << 16n) | BigInt(limit & 0xffff);
  return low | (BigInt(present | type) << 40n) | (BigInt(base >>> 24) << 56n);
}

/** The low half of a 64-bit interrupt gate; the high one is 0 for handlers below 4 GB (SDM Vol. 3A 6.14.1). */
function interruptGate(target: number, privilege: number): bigint {
  const attributes = 0x8e | (privilege << 5);
  const low = (BigInt(kernelCode) << 16n) | BigInt(target & 0xffff);
  return low | (BigInt(attributes) << 40n) | (BigInt(target >>> 16) << 48n);
}

const toPhysical = (linear: number): number => linear - systemLinear + physical.system;

function writeTables(memory: GuestMemory): void {
  for (const [index, value] of Object.entries(gdt)) memory.writeU64(toPhysical(system.gdt) + 8 * Number(index), value);
  const busyTss = 0x0b;
  const ldtType = 0x02;
  memory.writeU64(toPhysical(system.gdt) + tssSelector, systemDescriptor(system.tss, system.tssLimit, busyTss));
  memory.writeU64(toPhysical(system.gdt) + ldtSelector, systemDescriptor(system.ldt, system.ldtLimit, ldtType));
  for (const [index, value] of ldt.entries()) memory.writeU64(toPhysical(system.ldt) + 8 * index, value);
  for (let vector = 0; vector < 256; vector++) {
    const handler = system.handlers + system.handlerSize * vector;
    memory.writeU64(toPhysical(system.idt) + 16 * vector, interruptGate(handler, userGates.has(vector) ? 3 : 0));
    memory.writeU8(toPhysical(handler), halt);
  }
  const rsp0 = 4;
  const ioMapBase = 102;
  memory.writeU64(toPhysical(system.tss) + rsp0, BigInt(system.stackTop));
  memory.writeU16(toPhysical(system.tss) + ioMapBase, system.tssLimit + 1);
}

/** Fills RAM with everything but the cases. */
export function buildMemory(memory: GuestMemory): void {
  const tables = new PageTables(memory);
  const { code, data, readOnly } = region;
  const { present, write, user, noExecute } = pageBit;
  tables.map(code.address, physical.code, code.size, present | write | user);
  tables.map(data.address, physical.data, data.size, present | write | user | noExecute);
  tables.map(readOnly.address, physical.readOnly, readOnly.size, present | user | noExecute);
  tables.map(systemLinear, physical.system, systemSize, present | write);
  memory.write(physical.code, new Uint8Array(code.size).fill(breakpoint));
  memory.write(physical.readOnly, basePattern().subarray(0, readOnly.size));
  writeTables(memory);
}

/** The frame that an exception pushed: quadwords from the top of the handler's stack. */
export function readFrame(memory: GuestMemory, rsp: bigint, hasError: boolean) {
  const at = (index: number): bigint => memory.readU64(toPhysical(Number(rsp)) + 8 * index);
  const first = hasError ? 1 : 0;
  return {
    error: hasError ? Number(at(0)) : 0,
    rip: at(first),
    cs: Number(at(first + 1)),
    rflags: at(first + 2),
    rsp: at(first + 3),
    ss: Number(at(first + 4)),
  };
}
