/** What was typed and nobody has read yet. */
export class KeyQueue {
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: (() => void) | undefined;

  push(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#waiting?.();
  }

  /** @returns 1 to `maxBytes` bytes, when there are some */
  async read(maxBytes: number): Promise<Uint8Array> {
    while (this.#bytes.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const piece = this.#bytes.subarray(0, maxBytes);
    this.#bytes = this.#bytes.subarray(piece.length);
    return piece;
  }
}
