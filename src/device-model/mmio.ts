/** Memory-mapped I/O: guest-physical ranges that devices decode. */
import type { AccessSize } from './port-io.ts';

export interface MmioHandler {
  /** `offset` is relative to the mapped base. 8-byte accesses arrive as two 4-byte ones, low half first. */
  readMmio(offset: number, size: AccessSize): number;
  writeMmio(offset: number, size: AccessSize, value: number): void;
}

interface MmioRange {
  readonly base: number;
  readonly end: number;
  readonly handler: MmioHandler;
}

export class MmioBus {
  #ranges: MmioRange[] = [];

  /** Maps `[base, base + length)`. @throws if it overlaps another range: that is a wiring bug of ours. */
  map(base: number, length: number, handler: MmioHandler): void {
    const end = base + length;
    const clash = this.#ranges.find((range) => base < range.end && range.base < end);
    if (clash !== undefined) throw new Error(`MMIO range 0x${base.toString(16)} overlaps 0x${clash.base.toString(16)}`);
    this.#ranges.push({ base, end, handler });
  }

  unmap(base: number): void {
    this.#ranges = this.#ranges.filter((range) => range.base !== base);
  }

  #find(address: number): MmioRange | undefined {
    return this.#ranges.find((range) => address >= range.base && address < range.end);
  }

  /** Reads at a guest-physical address; addresses that nobody decodes read as ones. Unsigned result. */
  read(address: number, size: AccessSize): number {
    const range = this.#find(address);
    if (range === undefined) return size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
    const value = range.handler.readMmio(address - range.base, size);
    return size === 4 ? value >>> 0 : value & ((1 << (size * 8)) - 1);
  }

  write(address: number, size: AccessSize, value: number): void {
    const range = this.#find(address);
    if (range === undefined) return;
    range.handler.writeMmio(address - range.base, size, size === 4 ? value >>> 0 : value & ((1 << (size * 8)) - 1));
  }
}
