/** What the I/O thread wants of the machine's: interrupts delivered, decoded code dropped. */
import type { Attention } from '../devices/virtio/mailbox.ts';
import type { VirtioPci } from '../devices/virtio/virtio-pci.ts';
import type { CodeWriteReader } from '../memory/code-writes.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';

export interface IoEventParts {
  readonly memory: GuestMemory;
  readonly attention: Attention;
  readonly codeWrites: CodeWriteReader;
  readonly devices: readonly VirtioPci[];
}

export class IoEvents {
  readonly #parts: IoEventParts;

  constructor(parts: IoEventParts) {
    this.#parts = parts;
  }

  get waiting(): boolean {
    return this.#parts.attention.wanted || this.#parts.codeWrites.waiting;
  }

  /** Does all of it, between two slices. @returns whether the guest may have been woken */
  serve(): boolean {
    const { memory, attention, codeWrites, devices } = this.#parts;
    codeWrites.serve((offset, length) => memory.dropCode(offset, length));
    if (!attention.wanted) return false;
    for (const device of attention.take()) devices[device]?.serve();
    return true;
  }
}
