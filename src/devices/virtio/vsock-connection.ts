/** One stream between a port of the guest and one of the host. */
import { vsockOperation, vsockShutdown } from '../../spec/virtio/vsock.ts';
import type { VsockPacket } from './vsock-packet.ts';

/** The host's program at a connection. Nothing is called any more after `closed`. */
export interface VsockPeer {
  /** The guest has accepted. Comes only where the host has asked. */
  opened(): void;
  /** Bytes of the guest. It may send more when `taken` has been called. */
  receive(bytes: Uint8Array, taken: () => void): void;
  /** The guest sends no more. */
  ended(): void;
  /** What `send` was given has gone far enough that there is room again. */
  drained(): void;
  /** `reset`: not as the two agreed; bytes may be lost. */
  closed(reset: boolean): void;
}

/** What the host's program does with it. */
export interface VsockStream {
  readonly hostPort: number;
  /** @returns false if there is enough for now: `drained` will tell */
  send(bytes: Uint8Array): boolean;
  /** The host sends no more, after what it has sent. */
  end(): void;
  /** At once; `closed` is not called. */
  reset(): void;
}

export interface ConnectionPort {
  /** There is something for the guest. */
  ready(): void;
  /** The connection is over. */
  over(): void;
}

/** What a guest may send before the host has taken it, and what waits here for the guest, about. */
export const connectionBufferBytes = 131_072;

type State = 'asked-guest' | 'asked-host' | 'open';

/** Control packets that wait, in the order they go out. */
interface Due {
  request: boolean;
  response: boolean;
  credit: boolean;
  creditRequest: boolean;
  reset: boolean;
}

export interface OutgoingPacket {
  readonly packet: VsockPacket;
  readonly payload: readonly Uint8Array[];
}

export class VsockConnection implements VsockStream {
  readonly guestPort: number;
  readonly hostPort: number;
  readonly #port: ConnectionPort;
  #peer: VsockPeer | undefined;
  #state: State;
  readonly #due: Due = { request: false, response: false, credit: false, creditRequest: false, reset: false };
  #over = false;
  /** Counts of bytes are modulo 2^32, as they travel. */
  #received = 0;
  #forwarded = 0;
  /** What the guest was told of `#forwarded`. */
  #told = 0;
  #sent = 0;
  #guestBuffer = 0;
  #guestForwarded = 0;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #full = false;
  #hostEnded = false;
  #guestEnded = false;
  #shutdownSent = 0;

  /** @param peer none yet where the guest asks */
  constructor(ports: { guest: number; host: number }, peer: VsockPeer | undefined, port: ConnectionPort) {
    this.guestPort = ports.guest;
    this.hostPort = ports.host;
    this.#port = port;
    this.#peer = peer;
    this.#state = peer === undefined ? 'asked-host' : 'asked-guest';
    this.#due.request = peer !== undefined;
  }

  accept(peer: VsockPeer): void {
    if (this.#over || this.#state !== 'asked-host') return;
    this.#peer = peer;
    this.#state = 'open';
    this.#due.response = true;
    this.#port.ready();
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over || this.#hostEnded || bytes.length === 0) return true;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#full = this.#waitingBytes >= connectionBufferBytes;
    this.#port.ready();
    return !this.#full;
  }

  end(): void {
    if (this.#over || this.#hostEnded) return;
    this.#hostEnded = true;
    this.#port.ready();
  }

  reset(): void {
    this.#peer = undefined;
    this.#startReset();
  }

  /** The guest's driver has gone. */
  abandon(): void {
    this.#finish(true);
  }

  /** A packet of the guest. `payload` is a copy that may be kept. */
  take(packet: VsockPacket, payload: Uint8Array): void {
    if (this.#over || this.#due.reset) return;
    this.#guestBuffer = packet.bufferBytes;
    this.#guestForwarded = packet.forwardedBytes;
    this.#due.creditRequest = false;
    switch (packet.operation) {
      case vsockOperation.response:
        this.#opened();
        break;
      case vsockOperation.reset:
        this.#finish(!this.#guestEnded || this.#waitingBytes > 0);
        break;
      case vsockOperation.shutdown:
        this.#takeShutdown(packet.flags);
        break;
      case vsockOperation.data:
        this.#takeData(payload);
        break;
      case vsockOperation.creditUpdate:
        break;
      case vsockOperation.creditRequest:
        this.#due.credit = true;
        break;
      default:
        this.#startReset();
    }
    this.#port.ready();
  }

  /** The next packet for the guest with at most `room` bytes behind its header; undefined if there is none now. */
  next(room: number): OutgoingPacket | undefined {
    const { request, response, reset } = vsockOperation;
    if (this.#over) return undefined;
    if (this.#due.reset) {
      this.#finish(true);
      return this.#packet(reset);
    }
    if (this.#due.request) return this.#send('request', request);
    if (this.#due.response) return this.#send('response', response);
    if (this.#state !== 'open') return undefined;
    const credit = this.#guestBuffer - ((this.#sent - this.#guestForwarded) >>> 0);
    const bytes = Math.min(credit, room, this.#waitingBytes);
    if (bytes > 0) return this.#sendData(bytes);
    if (this.#due.credit) return this.#packet(vsockOperation.creditUpdate);
    if (this.#waitingBytes > 0 && room > 0 && !this.#due.creditRequest) {
      // Asked once; whatever the guest sends next tells.
      this.#due.creditRequest = true;
      return this.#packet(vsockOperation.creditRequest);
    }
    return this.#waitingBytes === 0 ? this.#shutdown() : undefined;
  }

  #opened(): void {
    if (this.#state !== 'asked-guest' || this.#due.request) {
      this.#startReset();
      return;
    }
    this.#state = 'open';
    this.#peer?.opened();
  }

  #takeData(payload: Uint8Array): void {
    const unforwarded = (this.#received - this.#forwarded) >>> 0;
    if (this.#state !== 'open' || this.#guestEnded || unforwarded + payload.length > connectionBufferBytes) {
      this.#startReset();
      return;
    }
    if (payload.length === 0) return;
    this.#received = (this.#received + payload.length) >>> 0;
    this.#peer?.receive(payload, () => this.#forward(payload.length));
  }

  /** The host has taken bytes: the guest hears of it when it may be about to run out. */
  #forward(bytes: number): void {
    this.#forwarded = (this.#forwarded + bytes) >>> 0;
    if (this.#over || (this.#received - this.#told) >>> 0 < connectionBufferBytes / 2) return;
    this.#due.credit = true;
    this.#port.ready();
  }

  /** A guest that neither sends nor receives any more has closed, and waits to hear that it may forget. 5.10.6.5. */
  #takeShutdown(flags: number): void {
    if (this.#state !== 'open') {
      this.#startReset();
      return;
    }
    if ((flags & vsockShutdown.send) !== 0 && !this.#guestEnded) {
      this.#guestEnded = true;
      this.#peer?.ended();
    }
    if ((flags & vsockShutdown.receive) === 0) return;
    this.#drop();
    if (!this.#guestEnded) return;
    const peer = this.#peer;
    this.#peer = undefined;
    this.#due.reset = true;
    peer?.closed(false);
  }

  #drop(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#hostEnded = true;
    this.#undam();
  }

  #startReset(): void {
    if (this.#over || this.#due.reset) return;
    this.#drop();
    this.#due.reset = true;
    const peer = this.#peer;
    this.#peer = undefined;
    peer?.closed(true);
    this.#port.ready();
  }

  #finish(reset: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    const peer = this.#peer;
    this.#peer = undefined;
    this.#port.over();
    peer?.closed(reset);
  }

  #send(what: 'request' | 'response', operation: number): OutgoingPacket {
    this.#due[what] = false;
    return this.#packet(operation);
  }

  #sendData(bytes: number): OutgoingPacket {
    const payload: Uint8Array[] = [];
    for (let left = bytes; left > 0; ) {
      const first = this.#waiting[0] as Uint8Array;
      const piece = first.subarray(0, left);
      payload.push(piece);
      left -= piece.length;
      if (piece.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(piece.length);
    }
    this.#waitingBytes -= bytes;
    this.#sent = (this.#sent + bytes) >>> 0;
    this.#undam();
    return this.#packet(vsockOperation.data, 0, payload);
  }

  #undam(): void {
    if (!this.#full || this.#waitingBytes > connectionBufferBytes / 2) return;
    this.#full = false;
    this.#peer?.drained();
  }

  /** Said again when there is more to say: first that the host sends no more, then that nobody does. */
  #shutdown(): OutgoingPacket | undefined {
    if (!this.#hostEnded) return undefined;
    const flags = vsockShutdown.send | (this.#guestEnded ? vsockShutdown.receive : 0);
    if (flags === this.#shutdownSent) return undefined;
    this.#shutdownSent = flags;
    return this.#packet(vsockOperation.shutdown, flags);
  }

  #packet(operation: number, flags = 0, payload: readonly Uint8Array[] = []): OutgoingPacket {
    this.#due.credit = false;
    this.#told = this.#forwarded;
    const { guestPort, hostPort } = this;
    const bufferBytes = connectionBufferBytes;
    return { packet: { guestPort, hostPort, operation, flags, bufferBytes, forwardedBytes: this.#forwarded }, payload };
  }
}
