/** What the NAT asks of the host: sockets and names. */
import type { Result } from '../../support/result.ts';

export type ConnectFailure = 'refused' | 'unreachable';

/** Told of what happens on a host socket, never from within a call to that socket. */
export interface StreamEvents {
  connected(): void;
  /** Instead of `connected`; nothing follows. */
  failed(failure: ConnectFailure): void;
  /**
   * @param bytes valid during the call; at most `maxReadBytes`
   * @returns false to get nothing more until `resume`
   */
  data(bytes: Uint8Array): boolean;
  /** The peer sends nothing more. */
  ended(): void;
  /** The socket is gone, with an error or after both sides were done; nothing follows. */
  lost(): void;
}

/** The most bytes that `StreamEvents.data` gets at once. */
export const maxReadBytes = 65_536;

/** A TCP socket of the host. */
export interface HostStream {
  /** Sends `bytes`, which stay as they are until `done`; one call at a time. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Says that nothing more comes. */
  end(): void;
  resume(): void;
  /** Ends the connection at once, with a reset where that is possible; no event follows. */
  reset(): void;
}

/** Where somebody who connected to a forwarded port is. */
export interface HostPeer {
  /** Dotted decimal; undefined for a peer that has no IPv4 address. */
  readonly address: string | undefined;
  readonly port: number;
}

export interface UdpEvents {
  /** @param bytes valid during the call */
  received(bytes: Uint8Array, peer: HostPeer): void;
  /** The socket cannot be used; nothing follows. */
  failed(): void;
}

/** A UDP socket of the host. */
export interface HostUdp {
  /** Copies and sends `bytes`; what the host has no room for is dropped. */
  send(bytes: Uint8Array, address: string, port: number): void;
  /** No event follows. */
  close(): void;
}

export interface HostListener {
  close(): void;
}

export interface HostNetwork {
  connectTcp(address: string, port: number, events: StreamEvents): HostStream;
  /** @param accept returns who is told of the stream, which is connected already; undefined refuses it */
  listenTcp(
    address: string,
    port: number,
    accept: (stream: HostStream, peer: HostPeer) => StreamEvents | undefined,
  ): Promise<Result<HostListener>>;
  openUdp(events: UdpEvents): HostUdp;
  bindUdp(address: string, port: number, events: UdpEvents): Promise<Result<HostUdp>>;
  /** Asks the host's name servers. @param reply gets the answer's message; it may come never, or more than once */
  resolve(query: Uint8Array, reply: (message: Uint8Array) => void): void;
  /** A name server for questions over TCP. */
  dnsServer(): string | undefined;
  /** 32 bits that nobody can guess. */
  random32(): number;
}
