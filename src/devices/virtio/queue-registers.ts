/** The fields of the common configuration structure that the driver sets up its queues with. VIRTIO 1.2 4.1.4.3. */
import { virtioCommon, virtioNoVector } from '../../spec/virtio/pci.ts';
import type { QueueLayout } from './virtqueue.ts';

interface QueueSetup {
  readonly maxSize: number;
  size: number;
  vector: number;
  enabled: boolean;
  /** Halves of the addresses of descriptors, available ring and used ring, low first. */
  readonly halves: number[];
}

const firstHalf = virtioCommon.queueDescriptors;

export class QueueRegisters {
  readonly #queues: readonly QueueSetup[];
  #selected = 0;

  constructor(maxSizes: readonly number[]) {
    this.#queues = maxSizes.map((maxSize) => ({
      maxSize,
      size: maxSize,
      vector: virtioNoVector,
      enabled: false,
      halves: [0, 0, 0, 0, 0, 0],
    }));
  }

  reset(): void {
    this.#selected = 0;
    for (const queue of this.#queues) {
      queue.size = queue.maxSize;
      queue.vector = virtioNoVector;
      queue.enabled = false;
      queue.halves.fill(0);
    }
  }

  isEnabled(queue: number): boolean {
    return this.#queues[queue]?.enabled === true;
  }

  vector(queue: number): number {
    return this.#queues[queue]?.vector ?? virtioNoVector;
  }

  /** By queue; undefined for those that are not enabled. */
  layouts(): (QueueLayout | undefined)[] {
    return this.#queues.map(({ enabled, size, halves }) => {
      const address = (n: number): number => (halves[n + 1] as number) * 2 ** 32 + (halves[n] as number);
      return enabled ? { size, descriptors: address(0), available: address(2), used: address(4) } : undefined;
    });
  }

  /** A queue that does not exist has size 0. */
  read(field: number): number {
    if (field === virtioCommon.queueSelect) return this.#selected;
    const queue = this.#queues[this.#selected];
    if (queue === undefined) return field === virtioCommon.queueVector ? virtioNoVector : 0;
    switch (field) {
      case virtioCommon.queueSize:
        return queue.size;
      case virtioCommon.queueVector:
        return queue.vector;
      case virtioCommon.queueEnable:
        return queue.enabled ? 1 : 0;
      case virtioCommon.queueNotifyOffset:
        return this.#selected;
      default:
        return queue.halves[(field - firstHalf) / 4] ?? 0;
    }
  }

  /** @param vectors how many MSI-X vectors there are; others become "none" */
  write(field: number, value: number, vectors: number): void {
    if (field === virtioCommon.queueSelect) {
      this.#selected = value;
      return;
    }
    const queue = this.#queues[this.#selected];
    if (queue === undefined) return;
    if (field === virtioCommon.queueVector) {
      queue.vector = value < vectors ? value : virtioNoVector;
      return;
    }
    // A queue that is enabled stays as it is until the reset.
    if (queue.enabled) return;
    if (field === virtioCommon.queueEnable) {
      queue.enabled = value === 1;
    } else if (field === virtioCommon.queueSize) {
      if (value > 0 && value <= queue.maxSize && (value & (value - 1)) === 0) queue.size = value;
    } else if (field >= firstHalf) {
      queue.halves[(field - firstHalf) / 4] = value;
    }
  }
}
