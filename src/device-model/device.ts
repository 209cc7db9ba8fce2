/** What every device of the board can do. `S` is its guest-visible state: plain data, structured-cloneable. */
export interface Device<S> {
  /** Brings the guest-visible state to its power-on values; wiring and statistics stay. */
  reset(): void;
  save(): S;
  restore(state: S): void;
}
