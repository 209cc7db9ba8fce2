/** Read-only memory on the bus. */
import type { MmioHandler } from '../../device-model/mmio.ts';
import type { AccessSize } from '../../device-model/port-io.ts';

export class Rom implements MmioHandler {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readMmio(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += (this.#bytes[offset + i] ?? 0xff) * 256 ** i;
    return value;
  }

  writeMmio(): void {}
}
