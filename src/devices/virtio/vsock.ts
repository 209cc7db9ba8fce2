/** virtio-vsock: streams between programs in a guest and programs of the host. VIRTIO 1.2 5.10. */
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import {
  vsockCid,
  vsockConfigBytes,
  vsockHeader,
  vsockOperation,
  vsockQueue,
  vsockType,
} from '../../spec/virtio/vsock.ts';
import type { DescriptorChain } from './descriptor-chain.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';
import { type OutgoingPacket, VsockConnection, type VsockPeer, type VsockStream } from './vsock-connection.ts';
import { decodeHeader, encodeHeader, type ReceivedHeader } from './vsock-packet.ts';

/** A guest wants to connect. One of the two is called, now or later. */
export interface VsockCall {
  accept(peer: VsockPeer): VsockStream;
  refuse(): void;
}

export interface VsockHost {
  /** A program in the guest wants to connect to the host's `port`. */
  called(port: number, call: VsockCall): void;
}

/** PCI class: unclassified device. */
const classCode = 0x00_ff_00;
const queueSize = 256;
/** Together with the buffers of each, they bound what a guest can make the host keep. */
const mostConnections = 256;
/** Resets that wait for buffers of the guest; it sends nothing meanwhile that could make more. */
const mostRefusals = 256;
/** The host's own ports, from here on up. */
const firstHostPort = 0x4000_0000;

export class VirtioVsock implements VirtioDevice {
  readonly description: VirtioDescription;
  readonly #cids: { readonly host: number; readonly guest: number };
  readonly #host: VsockHost;
  #transport: VirtioTransport | undefined;
  #receive: Virtqueue | undefined;
  #transmit: Virtqueue | undefined;
  /** A buffer of the guest that was taken when there was nothing for it after all. */
  #spare: DescriptorChain | undefined;
  readonly #connections = new Map<string, VsockConnection>();
  /** Those that may have packets, in the order of their turns. */
  readonly #ready = new Set<VsockConnection>();
  readonly #refusals: OutgoingPacket[] = [];
  #lastHostPort = firstHostPort;
  #pumping = false;
  /** Whether a pump is on its way. */
  #due = false;

  /** @param guestCid what the guest is called: 3 to 2^32 - 2 */
  constructor(guestCid: number, host: VsockHost) {
    this.#cids = { host: vsockCid.host, guest: guestCid };
    this.#host = host;
    const config = new Uint8Array(vsockConfigBytes);
    new DataView(config.buffer).setBigUint64(0, BigInt(guestCid), true);
    const queueSizes = [queueSize, queueSize, queueSize];
    this.description = { deviceId: virtioDeviceId.socket, classCode, features: 0n, queueSizes, config };
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[]): void {
    this.#receive = queues[vsockQueue.receive];
    this.#transmit = queues[vsockQueue.transmit];
  }

  notify(queue: number): void {
    if (queue !== vsockQueue.event) this.#pump();
  }

  stop(): Promise<void> {
    this.#receive = undefined;
    this.#transmit = undefined;
    this.#spare = undefined;
    this.#refusals.length = 0;
    for (const connection of [...this.#connections.values()]) connection.abandon();
    return Promise.resolve();
  }

  /** Asks the guest for a connection to its `port`. @returns undefined if it has no driver, or too many connections */
  connect(port: number, peer: VsockPeer): VsockStream | undefined {
    if (this.#receive === undefined || this.#connections.size >= mostConnections) return undefined;
    do {
      this.#lastHostPort = this.#lastHostPort === 0xffff_fffe ? firstHostPort : this.#lastHostPort + 1;
    } while (this.#connections.has(keyOf(port, this.#lastHostPort)));
    return this.#add({ guest: port, host: this.#lastHostPort }, peer);
  }

  #add(ports: { guest: number; host: number }, peer: VsockPeer | undefined): VsockConnection {
    const key = keyOf(ports.guest, ports.host);
    const connection: VsockConnection = new VsockConnection(ports, peer, {
      ready: () => this.#becameReady(key),
      over: () => {
        this.#connections.delete(key);
        this.#ready.delete(connection);
      },
    });
    this.#connections.set(key, connection);
    this.#becameReady(key);
    return connection;
  }

  /** Soon, not now: a guest may answer at once, and who has just connected has to know the stream by then. */
  #becameReady(key: string): void {
    const connection = this.#connections.get(key);
    if (connection === undefined) return;
    this.#ready.add(connection);
    if (this.#due) return;
    this.#due = true;
    void Promise.resolve().then(() => {
      this.#due = false;
      this.#pump();
    });
  }

  /** Takes what the guest sends and gives it what there is, until neither goes on. */
  #pump(): void {
    // What is called on the way may come back here.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#fillOne() || this.#takeOne());
    this.#pumping = false;
  }

  #takeOne(): boolean {
    if (this.#refusals.length >= mostRefusals) return false;
    const chain = this.#transmit?.take();
    if (chain === undefined) return false;
    const header = decodeHeader(chain.readable.copy(0, vsockHeader.size));
    // A packet with another sender or another receiver is nobody's.
    if (
      header !== undefined &&
      header.sourceCid === BigInt(this.#cids.guest) &&
      header.destinationCid === BigInt(this.#cids.host)
    ) {
      this.#take(header, chain);
    }
    chain.complete(0);
    return true;
  }

  #take(header: ReceivedHeader, chain: DescriptorChain): void {
    const connection = this.#connections.get(keyOf(header.guestPort, header.hostPort));
    const whole = header.length <= chain.readable.length - vsockHeader.size;
    if (header.type !== vsockType.stream || !whole) {
      connection?.take({ ...header, operation: vsockOperation.invalid }, new Uint8Array(0));
      if (connection === undefined) this.#refuse(header);
    } else if (header.operation === vsockOperation.request) {
      if (connection === undefined) this.#called(header);
      else connection.take({ ...header, operation: vsockOperation.invalid }, new Uint8Array(0));
    } else if (connection === undefined) {
      this.#refuse(header);
    } else {
      const isData = header.operation === vsockOperation.data;
      connection.take(header, chain.readable.copy(vsockHeader.size, isData ? header.length : 0));
    }
  }

  #called(header: ReceivedHeader): void {
    if (this.#connections.size >= mostConnections) {
      this.#refuse(header);
      return;
    }
    const connection = this.#add({ guest: header.guestPort, host: header.hostPort }, undefined);
    connection.take({ ...header, operation: vsockOperation.creditUpdate }, new Uint8Array(0));
    this.#host.called(header.hostPort, {
      accept: (peer) => {
        connection.accept(peer);
        return connection;
      },
      refuse: () => connection.reset(),
    });
  }

  #refuse({ guestPort, hostPort, operation }: ReceivedHeader): void {
    if (operation === vsockOperation.reset) return;
    const packet = {
      guestPort,
      hostPort,
      operation: vsockOperation.reset,
      flags: 0,
      bufferBytes: 0,
      forwardedBytes: 0,
    };
    this.#refusals.push({ packet, payload: [] });
  }

  /** Fills one of the guest's buffers. @returns false if there is none, or nothing for it */
  #fillOne(): boolean {
    if (this.#refusals.length === 0 && this.#ready.size === 0) return false;
    const chain = this.#spare ?? this.#receive?.take();
    if (chain === undefined) return false;
    const room = chain.writable.length - vsockHeader.size;
    if (room < 0) {
      chain.complete(0);
      this.#transport?.fail(`a buffer of ${chain.writable.length} bytes for a packet`);
      return false;
    }
    const outgoing = this.#refusals.shift() ?? this.#nextPacket(room);
    this.#spare = outgoing === undefined ? chain : undefined;
    if (outgoing === undefined) return false;
    chain.complete(this.#write(chain, outgoing));
    return true;
  }

  #nextPacket(room: number): OutgoingPacket | undefined {
    for (const connection of this.#ready) {
      const outgoing = connection.next(room);
      this.#ready.delete(connection);
      if (outgoing === undefined) continue;
      // Behind the others; a connection that is over has left for good.
      if (this.#connections.get(keyOf(connection.guestPort, connection.hostPort)) === connection) {
        this.#ready.add(connection);
      }
      return outgoing;
    }
    return undefined;
  }

  #write({ writable }: DescriptorChain, { packet, payload }: OutgoingPacket): number {
    const length = payload.reduce((sum, piece) => sum + piece.length, 0);
    let at = writable.write(0, encodeHeader(packet, this.#cids, length));
    for (const piece of payload) at += writable.write(at, piece);
    return at;
  }
}

const keyOf = (guestPort: number, hostPort: number): string => `${guestPort} ${hostPort}`;
