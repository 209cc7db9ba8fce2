/** Several drivers on one wire: shared level-triggered interrupts, and the two sources of A20. */
import type { IrqLine } from '../../device-model/interrupt.ts';

export class WiredOr {
  readonly #output: IrqLine;
  readonly #levels: boolean[] = [];
  #drivers = 0;

  constructor(output: IrqLine) {
    this.#output = output;
  }

  /** A further input. The output is told only when its level changes. */
  input(): IrqLine {
    const index = this.#levels.push(false) - 1;
    return {
      set: (level) => {
        if (this.#levels[index] === level) return;
        this.#levels[index] = level;
        this.#drivers += level ? 1 : -1;
        if (this.#drivers === (level ? 1 : 0)) this.#output.set(level);
      },
    };
  }
}
