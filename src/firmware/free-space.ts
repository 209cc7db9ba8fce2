/** Finds room in guest RAM below 4 GiB while a guest is being loaded. */
import { e820Type, pcMemory } from '../spec/pc/e820.ts';
import type { MemoryRange } from './memory-map.ts';

interface Interval {
  readonly start: number;
  readonly end: number;
}

/** Page 0 holds the interrupt vectors and the BIOS data area; nothing is placed there. */
const firstUsable = 0x1000;

export class FreeSpace {
  readonly #ram: readonly Interval[];
  #free: Interval[];

  constructor(map: readonly MemoryRange[]) {
    this.#ram = map
      .filter((range) => range.type === e820Type.ram && range.start < pcMemory.fourGib)
      .map(({ start, length }) => ({ start: Math.max(start, firstUsable), end: start + length }))
      .filter(({ start, end }) => end > start);
    this.#free = [...this.#ram];
  }

  /** Whether `[start, start + length)` is RAM that a guest may be loaded to, taken or not. */
  isRam(start: number, length: number): boolean {
    return this.#ram.some((interval) => start >= interval.start && start + length <= interval.end);
  }

  /** Whether the range is RAM and not taken. */
  isFree(start: number, length: number): boolean {
    return this.#free.some((interval) => start >= interval.start && start + length <= interval.end);
  }

  take(start: number, length: number): void {
    const end = start + length;
    this.#free = this.#free.flatMap((interval) =>
      end <= interval.start || start >= interval.end
        ? [interval]
        : [
            { start: interval.start, end: start },
            { start: end, end: interval.end },
          ].filter((rest) => rest.end > rest.start),
    );
  }

  /** Takes the lowest room at or above `from` and below `limit`. @returns its start, undefined if there is none. */
  takeLowest(length: number, alignment: number, from = 0, limit: number = pcMemory.fourGib): number | undefined {
    for (const interval of this.#free) {
      const start = alignUp(Math.max(interval.start, from), alignment);
      if (start + length > Math.min(interval.end, limit)) continue;
      this.take(start, length);
      return start;
    }
    return undefined;
  }

  /** Takes the highest room that ends at or below `limit`. @returns its start, undefined if there is none. */
  takeHighest(length: number, alignment: number, limit: number): number | undefined {
    for (const interval of [...this.#free].reverse()) {
      const start = Math.floor((Math.min(interval.end, limit) - length) / alignment) * alignment;
      if (start < interval.start) continue;
      this.take(start, length);
      return start;
    }
    return undefined;
  }

  /** Bytes of RAM below 4 GiB. */
  get ramBytes(): number {
    return this.#ram.reduce((sum, { start, end }) => sum + end - start, 0);
  }
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
