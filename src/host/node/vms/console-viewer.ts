import type { Socket } from 'node:net';

/** What may wait for a viewer that reads slowly; the guest never does. */
const maxBacklogBytes = 1 << 20;

/** Somebody at the console: sees what it shows, and types. */
export class ConsoleViewer {
  readonly #socket: Socket;
  #skipped = 0;

  /** @param type resolves when the guest has taken what was typed; until then no more is read */
  constructor(socket: Socket, type: (bytes: Uint8Array) => Promise<void>) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      socket.pause();
      void type(bytes).then(() => socket.resume());
    });
    socket.on('drain', () => this.#reportSkipped());
    // It may have gone, or be gone while it is written to.
    socket.on('error', () => socket.destroy());
  }

  show(bytes: Uint8Array): void {
    if (this.#skipped > 0 || this.#socket.writableLength > maxBacklogBytes) this.#skipped += bytes.length;
    else if (this.#socket.writable) this.#socket.write(bytes);
  }

  #reportSkipped(): void {
    if (this.#skipped === 0) return;
    const text = `\r\n[${this.#skipped} bytes of the console were left out]\r\n`;
    this.#skipped = 0;
    if (this.#socket.writable) this.#socket.write(text);
  }
}
