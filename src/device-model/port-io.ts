/** The I/O port space: 65,536 byte-wide ports. SDM Vol. 1 chapter 19. */

/** Width of a device access in bytes. */
export type AccessSize = 1 | 2 | 4;

export interface PortHandler {
  /** The widest access that the device decodes; the bus splits wider ones into ascending byte or word cycles. */
  readonly portWidth: AccessSize;
  /** @returns the unsigned value; only the low `size` bytes count. */
  readPort(port: number, size: AccessSize): number;
  writePort(port: number, size: AccessSize, value: number): void;
}

const sizeMask = (size: AccessSize): number => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1);

export class PortBus {
  readonly #handlers = new Map<number, PortHandler>();

  /** Maps ports `first`…`last` (inclusive). @throws if one is taken: that is a wiring bug of ours. */
  map(first: number, last: number, handler: PortHandler): void {
    for (let port = first; port <= last; port++) {
      if (this.#handlers.has(port)) throw new Error(`port 0x${port.toString(16)} is mapped twice`);
      this.#handlers.set(port, handler);
    }
  }

  unmap(first: number, last: number): void {
    for (let port = first; port <= last; port++) this.#handlers.delete(port);
  }

  /** Reads as a CPU would; ports that nobody decodes float high. Unsigned result. */
  read(port: number, size: AccessSize): number {
    const handler = this.#handlers.get(port);
    const width = handler?.portWidth ?? 1;
    if (handler !== undefined && size <= width) return (handler.readPort(port, size) & sizeMask(size)) >>> 0;
    if (size === 1) return 0xff;
    const half = (size / 2) as AccessSize;
    const low = this.read(port, half);
    const high = this.read((port + half) & 0xffff, half);
    return (low | (high << (half * 8))) >>> 0;
  }

  write(port: number, size: AccessSize, value: number): void {
    const handler = this.#handlers.get(port);
    const width = handler?.portWidth ?? 1;
    if (handler !== undefined && size <= width) {
      handler.writePort(port, size, (value & sizeMask(size)) >>> 0);
    } else if (size > 1) {
      const half = (size / 2) as AccessSize;
      this.write(port, half, value & sizeMask(half));
      this.write((port + half) & 0xffff, half, value >>> (half * 8));
    }
  }
}
