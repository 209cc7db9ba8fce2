import type { GuestMemory } from '../memory/guest-memory.ts';
import { pciMemoryHole } from '../spec/pc/memory-holes.ts';

/** Where the guest may place memory BARs. */
export function pciMemoryWindow({ lowSize }: GuestMemory): { readonly start: number; readonly length: number } {
  const { smallStart, largeStart, end } = pciMemoryHole;
  const start = lowSize <= smallStart ? smallStart : largeStart;
  return { start, length: end - start };
}
