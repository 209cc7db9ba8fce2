/**
 * virtio-net: a network card. Checksums and segmentation may be left to the other end of the cable, both ways, so that
 * frames of up to 64 KiB pass in one piece. VIRTIO 1.2 5.1.
 */
import { FinishedFrames } from '../../net/frame/finished-frames.ts';
import { type OffloadSlot, readVirtioHeader, writeVirtioHeader } from '../../net/frame/virtio-header.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../../net/port.ts';
import { ethernet, etherType, vlanTag } from '../../spec/net/ethernet.ts';
import { ipv4 } from '../../spec/net/ipv4.ts';
import { tcp, tcpFlag } from '../../spec/net/tcp.ts';
import {
  netFeature,
  netQueue,
  virtioNetConfig,
  virtioNetControl,
  virtioNetHeader,
  virtioNetStatus,
} from '../../spec/virtio/net.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import { NetFilter } from './net-filter.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

/** PCI class: Ethernet controller. */
const classCode = 0x02_00_00;
const queueSizes = [512, 256, 64];
const headerBytes = virtioNetHeader.bytes;
const maxFrameBytes = ethernet.headerBytes + vlanTag.bytes + ipv4.maxBytes;
const maxControlBytes = 4096;
/** What is sent in one go; then others have their turn. */
const maxRoundBytes = 1 << 20;
const maxRoundFrames = 512;

const features =
  netFeature.checksum |
  netFeature.guestChecksum |
  netFeature.mtu |
  netFeature.mac |
  netFeature.guestTso4 |
  netFeature.guestTso6 |
  netFeature.guestEcn |
  netFeature.hostTso4 |
  netFeature.hostTso6 |
  netFeature.hostEcn |
  netFeature.mergeReceiveBuffers |
  netFeature.status |
  netFeature.controlQueue |
  netFeature.controlReceive |
  netFeature.controlVlan |
  netFeature.controlReceiveExtra |
  netFeature.controlMacAddress;

export interface NetOptions {
  /** The cable. */
  readonly port: NetPort;
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  /** Runs `task` soon, after others had their turn. */
  readonly later: (task: () => void) => void;
}

export class VirtioNet implements VirtioDevice, FrameSink {
  readonly description: VirtioDescription;
  readonly #port: NetPort;
  readonly #later: (task: () => void) => void;
  #transport: VirtioTransport | undefined;
  #features = 0n;
  #filter: NetFilter;
  #receive: Virtqueue | undefined;
  #transmit: Virtqueue | undefined;
  #control: Virtqueue | undefined;
  /** A frame that the cable had no room for. */
  #held: DescriptorChain | undefined;
  #laterAsked = false;
  /** Receive buffers that were taken and not needed. */
  #spare: DescriptorChain[] = [];
  /** Whether a frame was refused for want of receive buffers. */
  #refused = false;
  readonly #frame = new Uint8Array(maxFrameBytes);
  readonly #header = new Uint8Array(headerBytes);
  readonly #slot: OffloadSlot = { checksumStart: 0, checksumOffset: 0, segmentBytes: 0 };
  /** For drivers that want finished frames. */
  readonly #finished: FinishedFrames;

  constructor({ port, mac, mtuBytes, later }: NetOptions) {
    this.#port = port;
    this.#later = later;
    this.#filter = new NetFilter(mac, false);
    this.#finished = new FinishedFrames({ send: (frame) => this.#deliver(frame, undefined), resume: () => {} });
    const config = new Uint8Array(virtioNetConfig.bytes);
    const view = new DataView(config.buffer);
    config.set(mac, virtioNetConfig.mac);
    view.setUint16(virtioNetConfig.status, virtioNetStatus.linkUp, true);
    view.setUint16(virtioNetConfig.maxQueuePairs, 1, true);
    view.setUint16(virtioNetConfig.mtu, mtuBytes, true);
    this.description = { deviceId: virtioDeviceId.network, classCode, features, queueSizes, config };
    port.connect(this);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[], negotiated: bigint): void {
    this.#features = negotiated;
    this.#receive = queues[netQueue.receive];
    this.#transmit = queues[netQueue.transmit];
    this.#control = queues[netQueue.control];
    const mac = this.#transport?.readConfig() ?? this.description.config;
    this.#filter = new NetFilter(mac, this.#has(netFeature.controlVlan));
  }

  notify(queue: number): void {
    if (queue === netQueue.receive) this.#roomForReceiving();
    else if (queue === netQueue.transmit) this.#sendFrames();
    else this.#obey();
  }

  stop(): Promise<void> {
    this.#receive = undefined;
    this.#transmit = undefined;
    this.#control = undefined;
    this.#held = undefined;
    this.#spare = [];
    this.#roomForReceiving();
    return Promise.resolve();
  }

  /** A frame for the guest. */
  send(frame: Frame, offload?: Offload): boolean {
    if (this.#receive === undefined || frame.length > maxFrameBytes || !this.#filter.wants(frame)) return true;
    if (offload === undefined || this.#takesOffload(frame, offload)) return this.#deliver(frame, offload);
    return this.#finished.send(frame, offload);
  }

  /** The cable has room again. */
  resume(): void {
    if (this.#held !== undefined) this.#sendFrames();
  }

  #has(feature: bigint): boolean {
    return (this.#features & feature) !== 0n;
  }

  /** Whether the driver does what is left to do. */
  #takesOffload(frame: Frame, offload: Offload): boolean {
    if (!this.#has(netFeature.guestChecksum)) return false;
    if (offload.segmentBytes === 0) return true;
    const flags = frame[offload.checksumStart + tcp.flags] ?? 0;
    if ((flags & tcpFlag.cwr) !== 0 && !this.#has(netFeature.guestEcn)) return false;
    return this.#has(isIpv6(frame) ? netFeature.guestTso6 : netFeature.guestTso4);
  }

  #deliver(frame: Frame, offload: Offload | undefined): boolean {
    const queue = this.#receive;
    if (queue === undefined) return true;
    const total = headerBytes + frame.length;
    const chains = this.#takeBuffers(queue, total);
    if (chains === undefined) {
      this.#refused = true;
      return false;
    }
    writeVirtioHeader(this.#header, 0, frame, offload);
    this.#header[virtioNetHeader.bufferCount] = chains.length;
    this.#header[virtioNetHeader.bufferCount + 1] = chains.length >>> 8;
    const [only] = chains;
    if (chains.length === 1) only?.complete(this.#fill(only, 0, frame));
    else if (chains.length > 1) queue.together(() => this.#fillAll(chains, frame));
    return true;
  }

  #fillAll(chains: readonly DescriptorChain[], frame: Frame): void {
    let done = 0;
    for (const chain of chains) {
      const written = this.#fill(chain, done, frame);
      done += written;
      chain.complete(written);
    }
  }

  /** Fills a buffer with what comes after `done` bytes of header and frame. @returns how many bytes it took */
  #fill({ writable }: DescriptorChain, done: number, frame: Frame): number {
    const header = done < headerBytes ? writable.write(0, this.#header.subarray(done)) : 0;
    if (done + header < headerBytes) return header;
    return header + writable.write(header, frame.subarray(done + header - headerBytes));
  }

  /**
   * Takes buffers for `total` bytes: one, or as many as needed if the driver merges them.
   * @returns undefined when there are too few; none when even all of a queue's are too small
   */
  #takeBuffers(queue: Virtqueue, total: number): DescriptorChain[] | undefined {
    const merges = this.#has(netFeature.mergeReceiveBuffers);
    let room = 0;
    let count = 0;
    while (room < total) {
      const chain = this.#spare[count] ?? queue.take();
      if (chain === undefined) return this.#spare.length >= queue.size ? [] : undefined;
      if (count === this.#spare.length) this.#spare.push(chain);
      count++;
      room += chain.writable.length;
      // A buffer that is too small by itself stays for a smaller frame; this one is lost.
      if (!merges) return room < total ? [] : this.#spare.splice(0, 1);
    }
    return this.#spare.splice(0, count);
  }

  #roomForReceiving(): void {
    if (!this.#refused) return;
    this.#refused = false;
    this.#port.resume();
  }

  /** Sends what the guest has queued, until there is nothing or no room, or others have waited long enough. */
  #sendFrames(): void {
    let bytes = 0;
    for (let frames = 0; frames < maxRoundFrames && bytes < maxRoundBytes; frames++) {
      const chain = this.#held ?? this.#transmit?.take();
      if (chain === undefined) return;
      this.#held = undefined;
      if (!this.#sendFrame(chain)) {
        this.#held = chain;
        return;
      }
      bytes += chain.readable.length;
      chain.complete(0);
    }
    if (this.#laterAsked) return;
    this.#laterAsked = true;
    this.#later(() => {
      this.#laterAsked = false;
      this.#sendFrames();
    });
  }

  /** @returns false when the cable has no room; what is no frame is dropped */
  #sendFrame({ readable }: DescriptorChain): boolean {
    const length = readable.length - headerBytes;
    if (length < ethernet.headerBytes || length > maxFrameBytes) return true;
    // Copied before it is looked at: the guest may go on writing.
    const frame = this.#frame.subarray(0, length);
    readable.read(0, this.#header);
    readable.read(headerBytes, frame);
    const left = readVirtioHeader(this.#header, 0, length, this.#slot);
    if (left === 'malformed') return true;
    return left === 'none' ? this.#port.send(frame) : this.#port.send(frame, left);
  }

  /** Carries out the commands of the control queue. 5.1.6.5. */
  #obey(): void {
    const { ok, error, mac } = virtioNetControl;
    for (let chain = this.#control?.take(); chain !== undefined; chain = this.#control?.take()) {
      const request = chain.readable.copy(0, maxControlBytes);
      const [kind = 0xff, command = 0xff] = request;
      const data = request.subarray(2);
      const done = request.length >= 2 && this.#filter.control(kind, command, data);
      if (done && kind === mac.class && command === mac.setAddress) {
        this.#transport?.updateConfig(virtioNetConfig.mac, data);
      }
      chain.complete(chain.writable.write(0, Uint8Array.of(done ? ok : error)));
    }
  }
}

function isIpv6(frame: Frame): boolean {
  const typeAt = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const outer = typeAt(ethernet.type);
  return (outer === etherType.vlan ? typeAt(ethernet.type + vlanTag.bytes) : outer) === etherType.ipv6;
}
