import { encodeWindowSize } from './guest-channel.ts';

/** Tells the guest its window's size: the latest one, however often it changes while the guest does not listen. */
export class WindowSize {
  readonly #send: (bytes: Uint8Array) => Promise<unknown>;
  #next: Uint8Array | undefined;
  #sending = false;

  constructor(send: (bytes: Uint8Array) => Promise<unknown>) {
    this.#send = send;
  }

  set(rows: number, columns: number): void {
    this.#next = encodeWindowSize(rows, columns);
    if (!this.#sending) void this.#sendLatest();
  }

  async #sendLatest(): Promise<void> {
    this.#sending = true;
    for (let bytes = this.#next; bytes !== undefined; bytes = this.#next) {
      this.#next = undefined;
      await this.#send(bytes);
    }
    this.#sending = false;
  }
}
