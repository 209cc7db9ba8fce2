/** One port of a virtio console: two queues, and a stream of bytes each way. */
import type { Virtqueue } from './virtqueue.ts';

export interface PortOptions {
  /** What the guest finds it by; empty: it has none. */
  readonly name: string;
  /** Whether the guest makes a terminal of it (hvc0, hvc1 …); others are byte streams for programs. */
  readonly console: boolean;
  /** Takes what the guest sends; more comes when the promise has resolved. */
  readonly receive: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** A program in the guest has opened or closed the port. */
  readonly guestOpened?: (open: boolean) => void;
}

interface Unsent {
  bytes: Uint8Array;
  readonly done: (taken: boolean) => void;
}

/** What is handed over at once. */
const pieceBytes = 1 << 16;

export class ConsolePort {
  readonly options: PortOptions;
  /** Whether somebody on the host is at the other end. */
  hostOpen = true;
  #receiveQueue: Virtqueue | undefined;
  #transmitQueue: Virtqueue | undefined;
  /** A console takes input at any time, another port only while a program has it open. */
  #guestOpen = false;
  readonly #unsent: Unsent[] = [];
  #transmitting = false;

  constructor(options: PortOptions) {
    this.options = options;
  }

  start(receive: Virtqueue | undefined, transmit: Virtqueue | undefined): void {
    this.#receiveQueue = receive;
    this.#transmitQueue = transmit;
  }

  stop(): void {
    this.#receiveQueue = undefined;
    this.#transmitQueue = undefined;
    this.setGuestOpen(false);
    for (const { done } of this.#unsent.splice(0)) done(false);
  }

  setGuestOpen(open: boolean): void {
    if (open === this.#guestOpen) return;
    this.#guestOpen = open;
    this.options.guestOpened?.(open);
    if (open) this.feed();
  }

  /** Resolves when the guest's buffers hold all of `bytes`; with false if the device was reset before. */
  send(bytes: Uint8Array): Promise<boolean> {
    return new Promise((done) => {
      this.#unsent.push({ bytes, done });
      this.feed();
    });
  }

  /** Fills the guest's buffers as far as there are bytes and buffers. */
  feed(): void {
    if (!this.#guestOpen && !this.options.console) return;
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      while (next.bytes.length > 0) {
        const chain = this.#receiveQueue?.take();
        if (chain === undefined) return;
        const written = chain.writable.write(0, next.bytes);
        next.bytes = next.bytes.subarray(written);
        chain.complete(written);
      }
      this.#unsent.shift();
      next.done(true);
    }
  }

  /** Hands over what the guest has sent, one buffer after the other, each before it is given back. */
  async transmit(): Promise<void> {
    if (this.#transmitting) return;
    this.#transmitting = true;
    for (let chain = this.#transmitQueue?.take(); chain !== undefined; chain = this.#transmitQueue?.take()) {
      const { readable } = chain;
      for (let at = 0; at < readable.length; at += pieceBytes)
        await this.options.receive(readable.copy(at, pieceBytes));
      chain.complete(0);
    }
    this.#transmitting = false;
  }
}
