/** virtio-rng: random numbers of the host. VIRTIO 1.2 5.4. */
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { VirtioDescription, VirtioDevice } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

/** PCI class: unclassified device. */
const classCode = 0x00_ff_00;
const queueSize = 64;
/** More is asked for again: a guest cannot hold the thread up with one request. */
const maxBytes = 1 << 16;

export class VirtioEntropy implements VirtioDevice {
  readonly description: VirtioDescription = {
    deviceId: virtioDeviceId.entropy,
    classCode,
    features: 0n,
    queueSizes: [queueSize],
    config: new Uint8Array(0),
  };
  readonly #random: (into: Uint8Array<ArrayBuffer>) => void;
  #queue: Virtqueue | undefined;

  /** @param random fills an array with what nobody can predict */
  constructor(random: (into: Uint8Array<ArrayBuffer>) => void) {
    this.#random = random;
  }

  attach(): void {}

  start(queues: readonly (Virtqueue | undefined)[]): void {
    this.#queue = queues[0];
  }

  notify(): void {
    for (let chain = this.#queue?.take(); chain !== undefined; chain = this.#queue?.take()) {
      const bytes = new Uint8Array(Math.min(chain.writable.length, maxBytes));
      this.#random(bytes);
      chain.complete(chain.writable.write(0, bytes));
    }
  }

  stop(): Promise<void> {
    this.#queue = undefined;
    return Promise.resolve();
  }
}
