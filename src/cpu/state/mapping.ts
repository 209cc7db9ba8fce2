/** What is known of code by linear address, and for how long. */
import { engine, mappingStep, regionPlaces, siteCache, targetCache } from './layout.ts';

/**
 * Whatever relied on the places of code, or on what stands behind its records, has to look again.
 * @param words the vCPU's memory
 */
export function moveMappingOn(words: Int32Array): void {
  const word = engine.mapping / 4;
  const next = ((words[word] as number) + mappingStep) | 0;
  words[word] = next;
  if (next !== 0) return;
  // After a whole round of the counter an old value might look new.
  const clear = (base: number, bytes: number): unknown => words.fill(0, base / 4, (base + bytes) / 4);
  clear(regionPlaces.base, regionPlaces.regions * 4);
  clear(targetCache.base, targetCache.entries * targetCache.entrySize);
  clear(siteCache.base, targetCache.entrySize << siteCache.entryBits);
}
