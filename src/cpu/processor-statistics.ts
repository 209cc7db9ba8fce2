/** What a processor counts, for people: named with their units. */
import type { ExitCounts } from './exit-counts.ts';
import { engine } from './state/layout.ts';
import type { TranslatorStatistics } from './translate/translator-statistics.ts';

export interface CountedProcessor {
  /** Its memory. */
  readonly view: DataView;
  /** Run so far. */
  readonly instructions: number;
  readonly translator: Readonly<TranslatorStatistics>;
  readonly exits: ExitCounts;
  /** Whether emitted code counts what it asks the TLB. */
  readonly lookups: boolean;
}

export function processorStatistics(cpu: CountedProcessor): Readonly<Record<string, number>> {
  const { view, translator, exits } = cpu;
  const interpretedInstructions = Number(view.getBigInt64(engine.interpreted, true));
  const tlbMisses = exits.tlbMisses + Number(view.getBigInt64(engine.tlbFills, true));
  const tlbHits = Number(view.getBigInt64(engine.tlbLookups, true)) - tlbMisses;
  return {
    interpretedInstructions,
    translatedInstructions: cpu.instructions - interpretedInstructions,
    regions: translator.regions,
    regionInstructions: translator.instructions,
    compiledBytes: translator.bytes,
    droppedRegions: translator.dropped,
    refusedEntries: translator.refused,
    remadeRegions: translator.remade,
    translationSeconds: translator.milliseconds / 1000,
    codeCacheBytes: translator.cacheBytes,
    ...exits,
    tlbMisses,
    ...(cpu.lookups ? { tlbHits } : {}),
  };
}
