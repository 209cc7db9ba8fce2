/** The port by which a test guest ends the machine: a write of v asks for exit with v; what that means is the caller's. */
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { debugExitPort } from '../../spec/pc/board.ts';

/** Stateless, hence no `Device`. */
export class DebugExit implements PortHandler {
  readonly portWidth = 4;
  readonly #exit: (value: number) => void;

  /** @param exit takes the unsigned value written, 8 to 32 bits wide. */
  constructor(exit: (value: number) => void) {
    this.#exit = exit;
  }

  attach(ports: PortBus, port: number = debugExitPort): void {
    ports.map(port, port, this);
  }

  readPort(): number {
    return 0;
  }

  writePort(_port: number, _size: number, value: number): void {
    this.#exit(value);
  }
}
