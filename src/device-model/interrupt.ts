/** Interrupt wiring between devices and interrupt controllers. */

/** A level-carrying interrupt wire. An edge is `set(true)` then `set(false)`. */
export interface IrqLine {
  set(level: boolean): void;
}

/** Where message-signalled interrupts go (the local APICs). SDM Vol. 3A 11.11. */
export interface MsiTarget {
  deliver(address: number, data: number): void;
}
