/** A device that copies what it may read to where it may write. */
import type { DescriptorChain } from '../descriptor-chain.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from '../virtio-device.ts';
import type { Virtqueue } from '../virtqueue.ts';

export class EchoDevice implements VirtioDevice {
  readonly description: VirtioDescription;
  transport: VirtioTransport | undefined;
  features = 0n;
  chains = 0;
  /** Lengths of the writable pieces of the last chain. */
  lastWritable: number[] = [];
  configWrites = 0;
  starts = 0;
  /** While true, one chain at most is taken at a notification, and not completed before `release`. */
  hold = false;
  /** Never completes anything. */
  keep = false;
  /** `stop` waits for this. */
  stopped: Promise<void> = Promise.resolve();
  #held: DescriptorChain[] = [];
  #queues: readonly (Virtqueue | undefined)[] = [];

  constructor(queueSizes: readonly number[], rest: Partial<VirtioDescription> = {}) {
    this.description = {
      deviceId: 42,
      classCode: 0xff_00_00,
      features: 0n,
      queueSizes,
      config: new Uint8Array(8),
      ...rest,
    };
  }

  attach(transport: VirtioTransport): void {
    this.transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[], features: bigint): void {
    this.starts++;
    this.#queues = queues;
    this.features = features;
  }

  notify(index: number): void {
    for (let chain = this.#queues[index]?.take(); chain !== undefined; chain = this.#queues[index]?.take()) {
      this.chains++;
      this.#held.push(chain);
      if (this.hold) return;
      this.#finish();
    }
  }

  /** Completes what was held back, and goes on. */
  release(): void {
    this.hold = false;
    this.#finish();
    this.notify(0);
  }

  configWritten(): void {
    this.configWrites++;
  }

  async stop(): Promise<void> {
    await this.stopped;
    this.#held = [];
  }

  #finish(): void {
    if (this.keep) return;
    for (const chain of this.#held.splice(0)) {
      this.lastWritable = chain.writable.views().map((view) => view.length);
      chain.complete(chain.writable.write(0, chain.readable.copy()));
    }
  }
}
