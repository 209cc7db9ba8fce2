/** A host network whose sockets a test plays. */
import { fail, ok, type Result } from '../../support/result.ts';
import type {
  HostListener,
  HostNetwork,
  HostPeer,
  HostStream,
  HostUdp,
  StreamEvents,
  UdpEvents,
} from '../nat/host-network.ts';

/** A host's TCP socket: what the NAT did to it, and means to play its other end. */
export class FakeStream implements HostStream {
  readonly address: string;
  readonly port: number;
  events!: StreamEvents;
  /** What was written and has been taken. */
  readonly written: number[] = [];
  /** A slow socket keeps writes until `take`. */
  slow = false;
  ended = false;
  wasReset = false;
  resumed = 0;
  #pending: { bytes: Uint8Array; done: () => void } | undefined;

  constructor(address: string, port: number) {
    this.address = address;
    this.port = port;
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#pending !== undefined) throw new Error('two writes at once');
    this.#pending = { bytes, done };
    if (!this.slow) queueMicrotask(() => this.take());
  }

  /** Takes what was written. */
  take(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.written.push(...pending.bytes);
    pending.done();
  }

  end(): void {
    this.ended = true;
  }

  resume(): void {
    this.resumed++;
  }

  reset(): void {
    this.wasReset = true;
  }
}

export class FakeUdp implements HostUdp {
  readonly events: UdpEvents;
  readonly sent: { bytes: number[]; address: string; port: number }[] = [];
  closed = false;

  constructor(events: UdpEvents) {
    this.events = events;
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    this.sent.push({ bytes: [...bytes], address, port });
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeHostNetwork implements HostNetwork {
  readonly streams: FakeStream[] = [];
  readonly sockets: FakeUdp[] = [];
  readonly queries: { query: Uint8Array; reply: (message: Uint8Array) => void }[] = [];
  dns: string | undefined = '192.0.2.53';
  #accept: ((stream: HostStream, peer: HostPeer) => StreamEvents | undefined) | undefined;

  connectTcp(address: string, port: number, events: StreamEvents): HostStream {
    const stream = new FakeStream(address, port);
    stream.events = events;
    this.streams.push(stream);
    return stream;
  }

  listenTcp(
    address: string,
    port: number,
    accept: (stream: HostStream, peer: HostPeer) => StreamEvents | undefined,
  ): Promise<Result<HostListener>> {
    if (port === 1) return Promise.resolve(fail('unavailable', `TCP port ${address}:1 cannot be opened.`));
    this.#accept = accept;
    return Promise.resolve(ok({ close: () => {} }));
  }

  /** Somebody comes to the forwarded port. @returns undefined if nobody wants the connection */
  knock(address: string, port: number): FakeStream | undefined {
    const stream = new FakeStream(address, port);
    const events = this.#accept?.(stream, { address, port });
    if (events === undefined) return undefined;
    stream.events = events;
    this.streams.push(stream);
    return stream;
  }

  openUdp(events: UdpEvents): HostUdp {
    const socket = new FakeUdp(events);
    this.sockets.push(socket);
    return socket;
  }

  bindUdp(_address: string, _port: number, events: UdpEvents): Promise<Result<HostUdp>> {
    return Promise.resolve(ok(this.openUdp(events)));
  }

  resolve(query: Uint8Array, reply: (message: Uint8Array) => void): void {
    this.queries.push({ query, reply });
  }

  dnsServer(): string | undefined {
    return this.dns;
  }

  random32(): number {
    return 0xffff_ff00;
  }
}
