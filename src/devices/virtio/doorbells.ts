/**
 * The doorbells of all virtio devices for threads that have no registers: a processor beyond the first rings the I/O thread itself,
 * instead of having the first one do it (as KVM's ioeventfd spares a way through the monitor). Who rings a device that is not up is not
 * heard: the I/O thread knows which queues it serves.
 */
import { Attention, type Mailbox, openMailbox } from './mailbox.ts';
import { structure } from './virtio-capabilities.ts';
import type { VirtioDescription } from './virtio-device.ts';

interface Bells {
  readonly mailbox: Mailbox;
  /** Bytes that they take. */
  readonly length: number;
}

export class Doorbells {
  readonly #devices: readonly Bells[];
  readonly #attention: Attention;
  readonly #wakeIo: () => void;

  /** @param wakeIo has the I/O thread look at the mailboxes */
  constructor(mailboxes: SharedArrayBuffer, devices: readonly VirtioDescription[], wakeIo: () => void) {
    this.#attention = new Attention(mailboxes, 'io');
    this.#wakeIo = wakeIo;
    this.#devices = devices.map(({ queueSizes }, number) => ({
      mailbox: openMailbox(mailboxes, devices, number),
      length: queueSizes.length * structure.notifyMultiplier,
    }));
  }

  /** The guest writes to physical memory. @returns whether that was a doorbell, and has rung */
  ring(address: number): boolean {
    for (const [number, { mailbox, length }] of this.#devices.entries()) {
      const { doorbellAddress } = mailbox;
      const offset = address - doorbellAddress;
      if (doorbellAddress === 0 || offset < 0 || offset >= length) continue;
      if (offset % structure.notifyMultiplier !== 0) return false;
      mailbox.ring(offset / structure.notifyMultiplier);
      if (this.#attention.ask(number)) this.#wakeIo();
      return true;
    }
    return false;
  }
}
