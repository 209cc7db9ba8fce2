/** Reset control register CF9h, which the FADT names as the reset register. Source: PIIX3 datasheet 2.5.5. */
import type { Device } from '../../device-model/device.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { resetControl } from '../../spec/pc/board.ts';

export interface ResetControlState {
  value: number;
}

export class ResetControl implements Device<ResetControlState>, PortHandler {
  readonly portWidth = 1;
  readonly #requestReset: () => void;
  #value = 0;

  /** @param requestReset asks for a reset of the whole machine; it may happen after the guest's access returns. */
  constructor(requestReset: () => void) {
    this.#requestReset = requestReset;
  }

  attach(ports: PortBus): void {
    ports.map(resetControl.port, resetControl.port, this);
  }

  reset(): void {
    this.#value = 0;
  }

  save(): ResetControlState {
    return { value: this.#value };
  }

  restore(state: ResetControlState): void {
    this.#value = state.value;
  }

  readPort(): number {
    return this.#value;
  }

  /** Bit 2 going from 0 to 1 resets; bit 1 chooses how hard, which makes no difference here. */
  writePort(_port: number, _size: number, value: number): void {
    const rises = (value & ~this.#value & resetControl.resetCpu) !== 0;
    this.#value = value & (resetControl.systemReset | resetControl.resetCpu | resetControl.fullReset);
    if (rises) this.#requestReset();
  }
}
