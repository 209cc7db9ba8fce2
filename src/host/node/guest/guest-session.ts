/** Plays the host's part of the guest channel's protocol for one session of the linux guest. */
import { ChannelDecoder, type ChannelEvent, encodeInput } from './guest-channel.ts';

export interface SessionPorts {
  output(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  /** Up to `maxBytes` of standard input; no bytes at its end. */
  readInput(maxBytes: number): Promise<Uint8Array>;
  sendToGuest(bytes: Uint8Array): void;
  ready(): void;
  /** The command ended. */
  status(status: number): void;
  malformed(line: string): void;
}

/** The most input one request is answered with; a terminal's buffer in the guest takes 4095 bytes. */
const maxInputBytes = 4000;

export class GuestSession {
  readonly #ports: SessionPorts;
  readonly #decoder = new ChannelDecoder();
  #goingDown = false;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** Whether the guest has announced that it goes down on request. */
  get goingDown(): boolean {
    return this.#goingDown;
  }

  /** Takes bytes from the channel; resolves when what they carry has been passed on. */
  async receive(bytes: Uint8Array): Promise<void> {
    for (const event of this.#decoder.push(bytes)) await this.#handle(event);
  }

  async #handle(event: ChannelEvent): Promise<void> {
    switch (event.kind) {
      case 'ready':
        return this.#ports.ready();
      case 'going-down':
        this.#goingDown = true;
        return;
      case 'output':
        return this.#ports.output(event.stream, event.bytes);
      case 'status':
        return this.#ports.status(event.status);
      case 'malformed':
        return this.#ports.malformed(event.line);
      case 'wants':
        // Not awaited: output goes on while the guest waits for input.
        void this.#answer(Math.min(event.bytes, maxInputBytes));
    }
  }

  async #answer(maxBytes: number): Promise<void> {
    this.#ports.sendToGuest(encodeInput(await this.#ports.readInput(maxBytes)));
  }
}
