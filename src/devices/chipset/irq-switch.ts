/** A wire with two sources of which one counts: HPET legacy replacement takes IRQ0 from the PIT and IRQ8 from the RTC. */
import type { IrqLine } from '../../device-model/interrupt.ts';

export class IrqSwitch {
  readonly normal: IrqLine;
  readonly replacement: IrqLine;
  readonly #output: IrqLine;
  #normalLevel = false;
  #replacementLevel = false;
  #replaced = false;

  constructor(output: IrqLine) {
    this.#output = output;
    this.normal = {
      set: (level) => {
        this.#normalLevel = level;
        if (!this.#replaced) output.set(level);
      },
    };
    this.replacement = {
      set: (level) => {
        this.#replacementLevel = level;
        if (this.#replaced) output.set(level);
      },
    };
  }

  /** Connects the replacement (true) or the normal source (false). */
  replace(replaced: boolean): void {
    this.#replaced = replaced;
    this.#output.set(replaced ? this.#replacementLevel : this.#normalLevel);
  }
}
