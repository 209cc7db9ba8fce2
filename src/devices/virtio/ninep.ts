/** virtio-9p: carries 9P messages between a guest and a server. Several are under way at the same time. */
import { ninepConfig, ninepFeature, ninepQueueSize } from '../../spec/virtio/ninep.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import type { VirtioDescription, VirtioDevice } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

/** One client's session with a server; `ninep/session.ts` is one. */
export interface NinepServer {
  /** Never rejects; gives at most `room` bytes. */
  handle(request: Uint8Array, room: number): Promise<Uint8Array>;
  /** Gives back all that the session holds. */
  reset(): Promise<void>;
}

export interface NinepOptions {
  /** What a guest mounts it by: ASCII. */
  readonly tag: string;
  /** A session for a driver that has come up. */
  readonly open: () => NinepServer;
}

/** PCI class: mass storage controller, other. */
const classCode = 0x01_80_00;
/** No request is longer, and no reply; more of a chain is not looked at. */
const largestMessageBytes = 1_048_576;
/** An error reply: no server answers in less. */
const smallestReplyBytes = 11;
/** Copies of requests that are under way; the next waits in the queue. */
const mostRequestBytes = 8 * 1_048_576;

export class VirtioNinep implements VirtioDevice {
  readonly description: VirtioDescription;
  readonly #open: NinepOptions['open'];
  #queue: Virtqueue | undefined;
  #server: NinepServer | undefined;
  #requestBytes = 0;

  constructor({ tag, open }: NinepOptions) {
    this.#open = open;
    const config = new Uint8Array(Math.ceil((ninepConfig.tag + tag.length) / 4) * 4);
    new DataView(config.buffer).setUint16(ninepConfig.tagLength, tag.length, true);
    for (let i = 0; i < tag.length; i++) config[ninepConfig.tag + i] = tag.charCodeAt(i);
    this.description = {
      deviceId: virtioDeviceId.fileSystem9p,
      classCode,
      features: ninepFeature.mountTag,
      queueSizes: [ninepQueueSize],
      config,
    };
  }

  attach(): void {}

  start([queue]: readonly (Virtqueue | undefined)[]): void {
    this.#queue = queue;
    this.#server = this.#open();
    this.#requestBytes = 0;
  }

  notify(): void {
    while (this.#requestBytes < mostRequestBytes) {
      const chain = this.#queue?.take();
      if (chain === undefined || this.#server === undefined) return;
      void this.#serve(chain, this.#server);
    }
  }

  /** Requests are copies: what is still under way at the host touches no RAM. */
  stop(): Promise<void> {
    void this.#server?.reset();
    this.#server = undefined;
    this.#queue = undefined;
    return Promise.resolve();
  }

  async #serve(chain: DescriptorChain, server: NinepServer): Promise<void> {
    const room = Math.min(chain.writable.length, largestMessageBytes);
    if (room < smallestReplyBytes) {
      chain.complete(0);
      return;
    }
    const request = chain.readable.copy(0, largestMessageBytes + 1);
    this.#requestBytes += request.length;
    const reply = await server.handle(request, room);
    if (server !== this.#server) return;
    this.#requestBytes -= request.length;
    chain.complete(chain.writable.write(0, reply));
    this.notify();
  }
}
