import type { Readable } from 'node:stream';

/** Reads a stream on demand, so that nothing is taken from it that nobody asked for. */
export class PulledInput {
  readonly #iterator: () => AsyncIterator<Uint8Array>;
  #started: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;

  /** @param open called at the first read */
  constructor(open: () => Readable) {
    this.#iterator = () => open()[Symbol.asyncIterator]();
  }

  /** @returns 1 to `maxBytes` bytes, none at the end or after an error of the stream */
  async read(maxBytes: number): Promise<Uint8Array> {
    this.#started ??= this.#iterator();
    while (this.#rest.length === 0 && !this.#ended) {
      try {
        const next = await this.#started.next();
        this.#ended = next.done === true;
        if (next.done !== true) this.#rest = next.value;
      } catch {
        this.#ended = true;
      }
    }
    const piece = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }
}
