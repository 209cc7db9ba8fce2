/** Port 80h: takes BIOS progress codes, and the dummy writes by which drivers wait a microsecond. */
import type { Device } from '../../device-model/device.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { postPort } from '../../spec/pc/board.ts';

export interface PostPortState {
  code: number;
}

export class PostPort implements Device<PostPortState>, PortHandler {
  readonly portWidth = 1;
  #code = 0;

  /** The last code, for diagnostics. */
  get code(): number {
    return this.#code;
  }

  attach(ports: PortBus): void {
    ports.map(postPort, postPort, this);
  }

  reset(): void {
    this.#code = 0;
  }

  save(): PostPortState {
    return { code: this.#code };
  }

  restore(state: PostPortState): void {
    this.#code = state.code;
  }

  readPort(): number {
    return this.#code;
  }

  writePort(_port: number, _size: number, value: number): void {
    this.#code = value;
  }
}
