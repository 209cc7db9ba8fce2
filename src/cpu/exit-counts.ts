/** How often emitted code came back to TypeScript, by reason. For statistics. */
export interface ExitCounts {
  /** Accesses that the TLB did not answer: page walks, MMIO, page ends, writes to code. */
  tlbMisses: number;
  /** Instructions that TypeScript runs. */
  slowInstructions: number;
  /** Code that emitted code could not find: not decoded yet, or out of the code TLB. */
  lookups: number;
  /** Reports of code that is entered often. */
  hotReports: number;
  /** Faults that emitted code met. */
  faults: number;
  /** Slow instructions after which modes or pending events may have changed. */
  modeChanges: number;
  /** Instructions that a region left to the interpreter because they overwrite code. */
  redone: number;
  /** Regions whose pages had to be found again. */
  misplaced: number;
}

export const noExits = (): ExitCounts => ({
  tlbMisses: 0,
  slowInstructions: 0,
  lookups: 0,
  hotReports: 0,
  faults: 0,
  modeChanges: 0,
  redone: 0,
  misplaced: 0,
});
