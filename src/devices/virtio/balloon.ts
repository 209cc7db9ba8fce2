/**
 * virtio-balloon: memory that the guest gives back to the host, because it was asked to (inflating) or because it is free
 * anyway (page reporting), and what the guest says about its memory. VIRTIO 1.2 5.5.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import {
  balloonClass,
  balloonConfig,
  balloonFeature,
  balloonPageBytes,
  balloonQueue,
  balloonStatistic,
  balloonStatisticTags,
} from '../../spec/virtio/balloon.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { ScatteredBytes } from '../../support/scattered-bytes.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

const queueSize = 128;
/** Page numbers that are looked at together. */
const pieceBytes = 1 << 16;

/** What the guest says of its memory; what it leaves out is not there. */
export type BalloonStatistics = Readonly<Partial<Record<(typeof balloonStatisticTags)[number], number>>>;

export interface BalloonOptions {
  /** What the guest is to give back at first, in bytes. */
  readonly targetBytes: number;
  /**
   * Gives whole pages of RAM back to the host, after which they read as zeroes or, where the host cannot do that, as
   * before. Offset and length are bytes.
   */
  readonly release: (ramOffset: number, length: number) => void;
}

export class VirtioBalloon implements VirtioDevice {
  readonly description: VirtioDescription;
  readonly #release: BalloonOptions['release'];
  #transport: VirtioTransport | undefined;
  #queues: readonly (Virtqueue | undefined)[] = [];
  /** The driver's buffer for statistics: given back, it comes again with new ones. */
  #statisticsBuffer: DescriptorChain | undefined;
  #wanted = false;
  #statistics: BalloonStatistics = {};
  /** Given back so far by the guest, in bytes. */
  releasedBytes = 0;

  constructor({ targetBytes, release }: BalloonOptions) {
    this.#release = release;
    const config = new DataView(new ArrayBuffer(balloonConfig.size));
    config.setUint32(balloonConfig.target, Math.floor(targetBytes / balloonPageBytes), true);
    const { statistics, deflateOnOom, pageReporting } = balloonFeature;
    this.description = {
      deviceId: virtioDeviceId.balloon,
      classCode: balloonClass,
      features: statistics | deflateOnOom | pageReporting,
      queueSizes: new Array<number>(balloonQueue.count).fill(queueSize),
      config: new Uint8Array(config.buffer),
      writableConfig: { offset: balloonConfig.actual, length: 4 },
    };
  }

  /** Asks the guest to give back `bytes` of its memory in all; it does what it can. */
  setTarget(bytes: number): void {
    const value = new DataView(new ArrayBuffer(4));
    value.setUint32(0, Math.floor(bytes / balloonPageBytes), true);
    this.#transport?.updateConfig(balloonConfig.target, new Uint8Array(value.buffer));
  }

  /** What the balloon holds, in bytes, as the driver says. */
  get actualBytes(): number {
    const config = this.#transport?.readConfig();
    return config === undefined
      ? 0
      : new DataView(config.buffer).getUint32(balloonConfig.actual, true) * balloonPageBytes;
  }

  /** The latest statistics that came. */
  get statistics(): BalloonStatistics {
    return this.#statistics;
  }

  /** Asks the driver for new statistics. */
  requestStatistics(): void {
    const buffer = this.#statisticsBuffer;
    this.#statisticsBuffer = undefined;
    this.#wanted = buffer === undefined;
    buffer?.complete(0);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[]): void {
    this.#queues = queues;
  }

  notify(index: number): void {
    const queue = this.#queues[index];
    for (let chain = queue?.take(); chain !== undefined; chain = queue?.take()) {
      if (index === balloonQueue.statistics) this.#takeStatistics(chain);
      else if (index === balloonQueue.inflate) this.#inflate(chain);
      else if (index === balloonQueue.deflate) chain.complete(0);
      else this.#takeReport(chain);
    }
  }

  stop(): Promise<void> {
    this.#queues = [];
    this.#statisticsBuffer = undefined;
    this.#wanted = false;
    return Promise.resolve();
  }

  /** Page numbers, 32 bits each. */
  #inflate(chain: DescriptorChain): void {
    const { readable } = chain;
    for (let from = 0; from < readable.length; from += pieceBytes) {
      const numbers = new DataView(readable.copy(from, pieceBytes).buffer);
      const offsets: number[] = [];
      for (let at = 0; at + 4 <= numbers.byteLength; at += 4) {
        const offset = this.#transport?.memory.ramOffset(numbers.getUint32(at, true) * balloonPageBytes) ?? -1;
        if (offset >= 0) offsets.push(offset);
      }
      for (const [offset, length] of runsOf(offsets)) this.#giveBack(offset, length);
    }
    chain.complete(0);
  }

  /** Whole pages, described as buffers to be written. The driver has them back when the chain is complete. */
  #takeReport(chain: DescriptorChain): void {
    for (const [offset, length] of wholePages(chain.writable)) this.#giveBack(offset, length);
    chain.complete(0);
  }

  /** Releasing pages writes zeroes to them, as far as anybody else is concerned. */
  #giveBack(offset: number, length: number): void {
    this.#release(offset, length);
    this.releasedBytes += length;
    this.#transport?.wrote(offset, length);
  }

  #takeStatistics(chain: DescriptorChain): void {
    const bytes = new DataView(chain.readable.copy(0, balloonStatisticTags.length * balloonStatistic.size).buffer);
    const found: Record<string, number> = {};
    for (let at = 0; at + balloonStatistic.size <= bytes.byteLength; at += balloonStatistic.size) {
      const name = balloonStatisticTags[bytes.getUint16(at + balloonStatistic.tag, true)];
      if (name !== undefined) found[name] = Number(bytes.getBigUint64(at + balloonStatistic.value, true));
    }
    this.#statistics = found;
    this.#statisticsBuffer?.complete(0);
    this.#statisticsBuffer = chain;
    if (this.#wanted) this.requestStatistics();
  }
}

/** Runs of neighbouring pages: offset and length. */
function runsOf(offsets: number[]): [number, number][] {
  offsets.sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const offset of offsets) {
    const last = runs.at(-1);
    if (last !== undefined && offset <= last[0] + last[1]) last[1] = offset + pageSize - last[0];
    else runs.push([offset, pageSize]);
  }
  return runs;
}

/** What of a buffer is whole pages. */
function wholePages(bytes: ScatteredBytes): [number, number][] {
  const pages: [number, number][] = [];
  bytes.each((offset, length) => {
    const first = Math.ceil(offset / pageSize) * pageSize;
    const end = Math.floor((offset + length) / pageSize) * pageSize;
    if (end > first) pages.push([first, end - first]);
  });
  return pages;
}
