/** What a translator counts. */
export interface TranslatorStatistics {
  /** Regions made so far, their guest instructions, and the bytes of WebAssembly they came to. */
  regions: number;
  instructions: number;
  bytes: number;
  /** Regions given up, because their code changed or for want of room. */
  dropped: number;
  /** Hot entries that nothing could be made of. */
  refused: number;
  /** Regions given up to be made again as such that stay where an access misses the TLB. */
  remade: number;
  /** Spent on translation, on whichever thread. */
  milliseconds: number;
  /** What compiled code takes now, about. */
  cacheBytes: number;
}

export const noStatistics = (): TranslatorStatistics => ({
  regions: 0,
  instructions: 0,
  bytes: 0,
  dropped: 0,
  refused: 0,
  remade: 0,
  milliseconds: 0,
  cacheBytes: 0,
});
