/** A guest's TCP connection and a host socket, each the continuation of the other. */
import { tcpFlag } from '../../../spec/net/tcp.ts';
import type { TcpSegment } from '../../frame/tcp-segment.ts';
import type { FlowKey } from '../flow-table.ts';
import { type ConnectFailure, type HostStream, maxReadBytes, type StreamEvents } from '../host-network.ts';
import type { TcpEnd, TcpNetwork, TcpUser } from './control-block.ts';
import { TcpConnection } from './tcp-connection.ts';

/** Told of what a splice cannot see to itself. */
export interface SpliceOwner {
  /** The host has connected, and the guest is answered. */
  connected(splice: TcpSplice): void;
  /** The host could not connect; nothing but the SYN has been heard of the guest. */
  failed(splice: TcpSplice, failure: ConnectFailure): void;
  /** The splice is over. */
  ended(splice: TcpSplice): void;
}

export class TcpSplice implements FlowKey, TcpUser, StreamEvents {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly #connection: TcpConnection;
  readonly #owner: SpliceOwner;
  #stream: HostStream | undefined;
  /** The guest's SYN, while the host connects. */
  #syn: TcpSegment | undefined;
  #over = false;
  /** So many bytes are on their way into the host socket. */
  #writing = 0;
  #guestFinished = false;
  #hostFinished = false;
  #hostPaused = false;
  /** What did not fit at once. */
  #rest: Uint8Array | undefined;

  constructor(key: FlowKey, network: TcpNetwork, owner: SpliceOwner) {
    this.guestAddress = key.guestAddress;
    this.guestPort = key.guestPort;
    this.remoteAddress = key.remoteAddress;
    this.remotePort = key.remotePort;
    this.#owner = owner;
    this.#connection = new TcpConnection(key, network, this);
  }

  /** Waits for `stream` to connect, to answer `syn` then. */
  connectHost(stream: HostStream, syn: TcpSegment): void {
    this.#stream = stream;
    this.#syn = { ...syn };
  }

  /** Hands over the SYN that nobody has answered. */
  refuse(answer: (syn: TcpSegment) => void): void {
    if (this.#syn !== undefined) answer(this.#syn);
  }

  /** Connects the guest to a stream that is connected already. */
  connectGuest(stream: HostStream): void {
    this.#stream = stream;
    this.#connection.open();
  }

  /** Takes a segment of the guest. */
  receive(segment: TcpSegment, frame: Uint8Array): void {
    if (this.#syn === undefined) this.#connection.receive(segment, frame);
    else if ((segment.flags & tcpFlag.rst) !== 0) this.abort();
  }

  /** Whether `syn` begins another connection with the same ends. */
  mayBeReplacedBy(syn: TcpSegment): boolean {
    return this.#connection.mayBeReplacedBy(syn);
  }

  /** Whether both sides are done, and only old segments may still come. */
  get isWaiting(): boolean {
    return this.#connection.isWaiting;
  }

  /** Waits no longer. */
  abandon(): void {
    this.#connection.abandon();
  }

  get heardMs(): number {
    return this.#connection.heardMs;
  }

  hurry(): void {
    this.#connection.hurry();
  }

  probe(): void {
    this.#connection.probe();
  }

  /** Ends both sides at once. */
  abort(): void {
    if (this.#over) return;
    this.#connection.abort();
    this.#finish();
    this.#stream?.reset();
  }

  // What the guest's side tells.

  established(): void {}

  received(): void {
    if (this.#writing > 0 || this.#over) return;
    const bytes = this.#connection.unread();
    if (bytes.length === 0) {
      if (this.#guestFinished) this.#stream?.end();
      if (this.#connection.over) this.#finish();
      return;
    }
    this.#writing = bytes.length;
    this.#stream?.write(bytes, () => {
      const written = this.#writing;
      this.#writing = 0;
      if (this.#over) return;
      this.#connection.consume(written);
      this.received();
    });
  }

  finished(): void {
    this.#guestFinished = true;
    this.received();
  }

  acknowledged(): void {
    if (this.#rest !== undefined) {
      const rest = this.#rest;
      this.#rest = undefined;
      this.#write(rest);
    }
    if (this.#rest !== undefined) return;
    if (this.#hostFinished) this.#connection.finish();
    else if (this.#hostPaused && this.#connection.room >= maxReadBytes) {
      this.#hostPaused = false;
      this.#stream?.resume();
    }
  }

  closed(end: TcpEnd): void {
    if (this.#over) return;
    // What the guest has sent before its end still goes to the host.
    if (end === 'done' && this.#connection.unread().length > 0) return;
    this.#finish();
    if (end === 'done') this.#stream?.end();
    else this.#stream?.reset();
  }

  // What the host's side tells.

  connected(): void {
    if (this.#over || this.#syn === undefined) return;
    const syn = this.#syn;
    this.#syn = undefined;
    this.#owner.connected(this);
    this.#connection.accept(syn);
  }

  failed(failure: ConnectFailure): void {
    if (this.#over) return;
    this.#owner.failed(this, failure);
    this.#finish();
  }

  data(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    this.#write(bytes);
    this.#hostPaused = this.#rest !== undefined || this.#connection.room < maxReadBytes;
    return !this.#hostPaused;
  }

  ended(): void {
    this.#hostFinished = true;
    if (!this.#over && this.#rest === undefined) this.#connection.finish();
  }

  lost(): void {
    if (this.#over || (this.#hostFinished && this.#guestFinished && this.#writing === 0)) return;
    this.#connection.abort();
    this.#finish();
  }

  #write(bytes: Uint8Array): void {
    const count = Math.min(bytes.length, this.#connection.room);
    if (count < bytes.length) this.#rest = bytes.slice(count);
    if (count > 0) this.#connection.write(bytes.subarray(0, count));
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#syn = undefined;
    this.#rest = undefined;
    this.#connection.release();
    this.#owner.ended(this);
  }
}
