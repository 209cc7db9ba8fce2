/** virtio-blk: a disk. Requests of all queues run side by side, as many as the disk takes. VIRTIO 1.2 5.2. */
import { type Disk, sectorBytes } from '../../block/disk.ts';
import type { DiskFailure } from '../../block/disk-failure.ts';
import {
  blockClass,
  blockConfig,
  blockFeature,
  blockIdBytes,
  blockRange,
  blockRequest,
  blockRequestType,
  blockStatus,
} from '../../spec/virtio/block.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import type { ScatteredBytes } from '../../support/scattered-bytes.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import { ScatterDisk } from './scatter-disk.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

export interface BlockOptions {
  readonly disk: Disk;
  /** At most 20 ASCII characters: what the guest finds as the disk's serial number. */
  readonly serial: string;
  readonly queues: number;
  /**
   * The host has no room for a write. Is to call `retry` when that may have changed, again as long as it resolves with
   * false, then to resolve.
   */
  readonly noSpace: (failure: DiskFailure, retry: () => Promise<boolean>) => Promise<void>;
}

const queueSize = 256;
/** Descriptors of a request besides its data's: header and status. */
const framing = 2;
/** Requests under way; the rest waits in the queues. */
const maxActive = 64;
/** What one discard or write zeroes request may say. */
const maxRanges = 16;
const maxRangeSectors = 1 << 22;

type Done = Result<void, DiskFailure>;

interface Request {
  readonly chain: DescriptorChain;
  readonly type: number;
  readonly offset: number;
  /** What the device reads behind the header, and writes before the status. */
  readonly out: ScatteredBytes;
  readonly in: ScatteredBytes;
}

export class VirtioBlock implements VirtioDevice {
  readonly description: VirtioDescription;
  readonly #disk: Disk;
  readonly #scatter: ScatterDisk;
  readonly #id: Uint8Array;
  readonly #noSpace: BlockOptions['noSpace'];
  #transport: VirtioTransport | undefined;
  #queues: readonly (Virtqueue | undefined)[] = [];
  /** Queues that may have requests, in the order of their turns. */
  #ready: Virtqueue[] = [];
  #active = 0;
  /** A driver that does not flush expects writes to be durable when they are done. */
  #writeThrough = false;
  /** Counts starts and stops: what was begun before touches nothing after. */
  #round = 0;
  #idle: () => void = () => {};

  constructor({ disk, serial, queues, noSpace }: BlockOptions) {
    this.#disk = disk;
    this.#scatter = new ScatterDisk(disk);
    this.#noSpace = noSpace;
    this.#id = Uint8Array.from({ length: blockIdBytes }, (_, i) => serial.charCodeAt(i) & 0x7f);
    this.description = describe(disk, queues);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[], features: bigint): void {
    this.#queues = queues;
    this.#writeThrough = (features & blockFeature.flush) === 0n;
  }

  notify(index: number): void {
    const queue = this.#queues[index];
    if (queue !== undefined && !this.#ready.includes(queue)) this.#ready.push(queue);
    this.#begin();
  }

  async stop(): Promise<void> {
    this.#round++;
    this.#queues = [];
    this.#ready = [];
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    this.#idle = () => {};
  }

  /** Begins as many requests as may run, queue by queue in turn. */
  #begin(): void {
    while (this.#active < maxActive) {
      const queue = this.#ready.shift();
      if (queue === undefined) return;
      const chain = queue.take();
      if (chain === undefined) continue;
      this.#ready.push(queue);
      this.#transport?.watch(this.#serve(chain));
    }
  }

  async #serve(chain: DescriptorChain): Promise<void> {
    const round = this.#round;
    const request = parse(chain);
    if (request === undefined) {
      chain.complete(0);
      return;
    }
    let done = await this.#attempt(request);
    if (isFull(done))
      await this.#noSpace(done.error, async () => {
        if (round === this.#round) done = await this.#attempt(request);
        return round !== this.#round || !isFull(done);
      });
    if (round !== this.#round) return;
    const status = statusOf(done);
    const { writable } = chain;
    writable.write(writable.length - 1, Uint8Array.of(status));
    // What a failed read has filled does not count.
    chain.complete(status === blockStatus.ok ? writable.length : 0);
    this.#begin();
  }

  async #attempt(request: Request): Promise<Done> {
    this.#active++;
    const done = await this.#do(request);
    this.#active--;
    if (this.#active === 0) this.#idle();
    return done;
  }

  #do(request: Request): Promise<Done> {
    switch (request.type) {
      case blockRequestType.read:
        return this.#scatter.read(request.offset, request.in);
      case blockRequestType.write:
        return this.#write(request);
      case blockRequestType.flush:
        return this.#disk.flush();
      case blockRequestType.getId:
        request.in.write(0, this.#id);
        return Promise.resolve(ok(undefined));
      case blockRequestType.discard:
        return this.#eachRange(request.out, (offset, length) => this.#disk.discard(offset, length));
      case blockRequestType.writeZeroes:
        return this.#eachRange(request.out, (offset, length, unmap) => this.#disk.writeZeroes(offset, length, unmap));
      default:
        return Promise.resolve(fail('unsupported', `there is no request of type ${request.type}`));
    }
  }

  async #write({ offset, out }: Request): Promise<Done> {
    const done = await this.#scatter.write(offset, out);
    return done.ok && this.#writeThrough ? this.#disk.flush() : done;
  }

  async #eachRange(
    ranges: ScatteredBytes,
    clear: (offset: number, length: number, unmap: boolean) => Promise<Done>,
  ): Promise<Done> {
    if (this.#disk.readOnly) return fail('read-only', 'the disk is read-only');
    const count = ranges.length / blockRange.size;
    if (!Number.isInteger(count) || count > maxRanges) return fail('unsupported', `${ranges.length} bytes of ranges`);
    const view = new DataView(ranges.copy().buffer);
    for (let at = 0; at < view.byteLength; at += blockRange.size) {
      const sectors = view.getUint32(at + blockRange.sectors, true);
      const flags = view.getUint32(at + blockRange.flags, true);
      if ((flags & ~blockRange.unmap) !== 0) return fail('unsupported', `range flags ${flags}`);
      if (sectors > maxRangeSectors) return fail('range', `a range of ${sectors} sectors`);
      const offset = Number(view.getBigUint64(at + blockRange.sector, true)) * sectorBytes;
      const done = await clear(offset, sectors * sectorBytes, (flags & blockRange.unmap) !== 0);
      if (!done.ok) return done;
    }
    if (this.#writeThrough) return this.#disk.flush();
    return ok(undefined);
  }
}

const isFull = (done: Done): done is Extract<Done, { ok: false }> => !done.ok && done.error.kind === 'no-space';

/** The request of a chain; undefined if there is no room for a status to answer with. */
function parse(chain: DescriptorChain): Request | undefined {
  const { readable, writable } = chain;
  if (writable.length === 0) return undefined;
  const header = new DataView(readable.copy(0, blockRequest.headerSize).buffer);
  // Without a whole header it is nothing that anybody knows.
  const whole = header.byteLength === blockRequest.headerSize;
  return {
    chain,
    type: whole ? header.getUint32(blockRequest.type, true) : -1,
    offset: whole ? Number(header.getBigUint64(blockRequest.sector, true)) * sectorBytes : 0,
    out: readable.subarray(blockRequest.headerSize),
    in: writable.subarray(0, writable.length - 1),
  };
}

function statusOf(done: Done): number {
  if (done.ok) return blockStatus.ok;
  return done.error.kind === 'unsupported' ? blockStatus.unsupported : blockStatus.ioError;
}

function describe(disk: Disk, queues: number): VirtioDescription {
  const config = new DataView(new ArrayBuffer(blockConfig.size));
  const blockSectors = Math.max(1, disk.blockBytes / sectorBytes);
  config.setBigUint64(blockConfig.capacity, BigInt(Math.floor(disk.sizeBytes / sectorBytes)), true);
  config.setUint32(blockConfig.segmentMax, queueSize - framing, true);
  config.setUint32(blockConfig.blockSize, sectorBytes, true);
  config.setUint8(blockConfig.physicalBlockExponent, Math.log2(blockSectors));
  config.setUint16(blockConfig.minIoSize, blockSectors, true);
  config.setUint16(blockConfig.queueCount, queues, true);
  config.setUint32(blockConfig.maxDiscardSectors, maxRangeSectors, true);
  config.setUint32(blockConfig.maxDiscardSegments, maxRanges, true);
  config.setUint32(blockConfig.discardAlignment, blockSectors, true);
  config.setUint32(blockConfig.maxWriteZeroesSectors, maxRangeSectors, true);
  config.setUint32(blockConfig.maxWriteZeroesSegments, maxRanges, true);
  config.setUint8(blockConfig.writeZeroesMayUnmap, 1);
  const { segmentMax, blockSize, topology, multiQueue, flush, readOnly, discard, writeZeroes } = blockFeature;
  const always = segmentMax | blockSize | topology | multiQueue | flush;
  return {
    deviceId: virtioDeviceId.block,
    classCode: blockClass,
    features: always | (disk.readOnly ? readOnly : discard | writeZeroes),
    queueSizes: new Array<number>(queues).fill(queueSize),
    config: new Uint8Array(config.buffer),
  };
}
