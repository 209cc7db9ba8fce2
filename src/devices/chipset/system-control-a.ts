/** Port 92h: fast A20 and fast reset. Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A". */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { systemControlA } from '../../spec/pc/board.ts';

export interface SystemControlAState {
  value: number;
}

export class SystemControlA implements Device<SystemControlAState>, PortHandler {
  readonly portWidth = 1;
  readonly #a20: IrqLine;
  readonly #requestReset: () => void;
  #value = 0;

  /** @param a20 this port's side of the A20 gate; the keyboard controller drives the other one (a `WiredOr`). */
  constructor(a20: IrqLine, requestReset: () => void) {
    this.#a20 = a20;
    this.#requestReset = requestReset;
  }

  attach(ports: PortBus): void {
    ports.map(systemControlA.port, systemControlA.port, this);
  }

  reset(): void {
    this.restore({ value: 0 });
  }

  save(): SystemControlAState {
    return { value: this.#value };
  }

  restore(state: SystemControlAState): void {
    this.#value = state.value;
    this.#a20.set((state.value & systemControlA.fastA20) !== 0);
  }

  readPort(): number {
    return this.#value;
  }

  writePort(_port: number, _size: number, value: number): void {
    const resets = (value & ~this.#value & systemControlA.fastReset) !== 0;
    this.restore({ value: value & (systemControlA.fastReset | systemControlA.fastA20) });
    if (resets) this.#requestReset();
  }
}
