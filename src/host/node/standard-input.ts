import type { Readable } from 'node:stream';

/** Reads a stream on demand, so that nothing is taken from it that nobody asked for. */
export class PulledInput {
  readonly #iterator: () => AsyncIterator<Uint8Array>;
  #started: AsyncIterator<Uint8Array> | undefined;
  /** The next piece is on its way. */
  #coming: Promise<void> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;
  #handovers = 0;

  /** @param open called at the first read */
  constructor(open: () => Readable) {
    this.#iterator = () => open()[Symbol.asyncIterator]();
  }

  /** @returns 1 to `maxBytes` bytes; none at the end, after an error of the stream, or after `handOver` */
  async read(maxBytes: number): Promise<Uint8Array> {
    const handovers = this.#handovers;
    while (this.#rest.length === 0 && !this.#ended) {
      this.#coming ??= this.#pull();
      await this.#coming;
      if (this.#handovers !== handovers) return new Uint8Array(0);
    }
    const piece = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Who waits for input has gone: what comes is for the next reader. */
  handOver(): void {
    this.#handovers++;
  }

  async #pull(): Promise<void> {
    this.#started ??= this.#iterator();
    try {
      const next = await this.#started.next();
      this.#ended = next.done === true;
      if (next.done !== true) this.#rest = next.value;
    } catch {
      this.#ended = true;
    }
    this.#coming = undefined;
  }
}
