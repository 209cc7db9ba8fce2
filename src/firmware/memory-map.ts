/** The memory map that a BIOS tells (E820), from the size of RAM. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { e820Type, pcMemory } from '../spec/pc/e820.ts';

export interface MemoryRange {
  readonly start: number;
  /** In bytes. */
  readonly length: number;
  /** One of `e820Type`. */
  readonly type: number;
}

/** RAM without the extended BIOS data area, the video memory and the firmware's region. Sorted, no overlaps. */
export function buildMemoryMap(memory: GuestMemory): MemoryRange[] {
  const low = memory.lowSize;
  const ranges: MemoryRange[] = [];
  const add = (start: number, end: number, type: number): void => {
    if (end > start) ranges.push({ start, length: end - start, type });
  };
  add(0, Math.min(pcMemory.ebda, low), e820Type.ram);
  add(pcMemory.ebda, pcMemory.videoMemory, e820Type.reserved);
  add(pcMemory.firmware, pcMemory.extendedMemory, e820Type.reserved);
  add(pcMemory.extendedMemory, low, e820Type.ram);
  add(pcMemory.fourGib, pcMemory.fourGib + memory.size - low, e820Type.ram);
  return ranges;
}

/** Fills in the two words of the BIOS data area by which old software finds the end of conventional memory. */
export function writeBiosDataArea(memory: GuestMemory): void {
  memory.writeU16(pcMemory.ebdaSegmentWord, pcMemory.ebda >>> 4);
  memory.writeU16(pcMemory.conventionalKilobytesWord, pcMemory.ebda / 1024);
}
