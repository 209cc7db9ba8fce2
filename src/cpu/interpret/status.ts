/** What a handler, and the interpreter as a whole, returns. */
export const status = {
  /** Handlers: go on with the next record. */
  next: 0,
  /** Handlers: go on at state.rip. */
  transfer: 1,
  /** An exception is recorded in state.fault. */
  fault: 2,
  /** The budget is used up; state.rip is exact. */
  budget: 3,
  /** No record is known for state.rip. */
  lookup: 4,
  /** A slow path completed the instruction and set state.rip; modes or pending events may have changed. */
  changed: 5,
  /** Regions: the instruction at state.rip overwrites decoded code; it has done nothing yet, and is to be interpreted. */
  redo: 9,
  /** Regions: a page that they have code in may lie elsewhere by now; the region of state.record has not begun. */
  misplaced: 10,
  /** As `redo`, of a region that was left so often that it should be made to stay; state.record is its entry's. */
  missed: 11,
  /** A record was entered often (see `recordHeat`); state.rip is the record's. */
  hot: 8,
  /** HLT: sleep until an interrupt. */
  halt: 6,
  /** Shutdown after a triple fault. */
  shutdown: 7,
} as const;
