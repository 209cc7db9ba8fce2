/** Guests' datagrams through host sockets: one socket for each port of a guest, as a NAT keeps them (RFC 4787). */
import { udp } from '../../spec/net/udp.ts';
import { formatIpv4, parseIpv4 } from '../frame/address.ts';
import type { UdpDatagram } from '../frame/udp-datagram.ts';
import { isLoopback } from './destination.ts';
import type { HostNetwork, HostPeer, HostUdp } from './host-network.ts';

/** RFC 4787 4.3 asks for two minutes at least; an answer from a name server comes soon or never. */
const idleMs = 120_000;
const idleDnsMs = 15_000;
const dnsPort = 53;
const maxFlows = 512;
/** Peers that may send to a guest's port: the latest that it has sent to. */
const maxPeers = 128;
export const maxDatagramBytes = 65_535 - 20 - udp.headerBytes;

/** Sends a datagram to a guest; `source` is the peer as the guest knows it. */
export type ToGuest = (
  guest: { readonly address: number; readonly port: number },
  source: { readonly address: number; readonly port: number },
  bytes: Uint8Array,
) => void;

interface UdpFlow {
  readonly key: number;
  readonly socket: HostUdp;
  /** By the address and port that the host knows, the address that the guest knows. */
  readonly peers: Map<number, number>;
  usedMs: number;
  idleMs: number;
}

const endpoint = (address: number, port: number): number => address * 65_536 + port;

export class UdpFlows {
  readonly #host: HostNetwork;
  readonly #toGuest: ToGuest;
  readonly #nowMs: () => number;
  /** In the order of their last use. */
  readonly #flows = new Map<number, UdpFlow>();

  constructor(host: HostNetwork, toGuest: ToGuest, nowMs: () => number) {
    this.#host = host;
    this.#toGuest = toGuest;
    this.#nowMs = nowMs;
  }

  /** @param hostAddress where `destination`, as the guest calls it, is for the host */
  send(guestAddress: number, destination: number, hostAddress: number, frame: Uint8Array, datagram: UdpDatagram): void {
    const key = endpoint(guestAddress, datagram.sourcePort);
    const flow = this.#flows.get(key) ?? this.#open(key, { address: guestAddress, port: datagram.sourcePort });
    flow.usedMs = this.#nowMs();
    if (datagram.destinationPort !== dnsPort) flow.idleMs = idleMs;
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    const peer = endpoint(hostAddress, datagram.destinationPort);
    if (!flow.peers.has(peer) && flow.peers.size >= maxPeers) dropOldest(flow.peers);
    flow.peers.set(peer, destination);
    const payload = frame.subarray(datagram.payloadStart, datagram.payloadEnd);
    flow.socket.send(payload, formatIpv4(hostAddress), datagram.destinationPort);
  }

  /** Closes what nobody has used for long. */
  sweep(): void {
    const now = this.#nowMs();
    for (const flow of this.#flows.values()) {
      if (now - flow.usedMs > flow.idleMs) this.#close(flow);
    }
  }

  close(): void {
    for (const flow of this.#flows.values()) this.#close(flow);
  }

  get size(): number {
    return this.#flows.size;
  }

  #open(key: number, guest: { address: number; port: number }): UdpFlow {
    if (this.#flows.size >= maxFlows) {
      const [oldest] = this.#flows.values();
      if (oldest !== undefined) this.#close(oldest);
    }
    const peers = new Map<number, number>();
    const received = (bytes: Uint8Array, peer: HostPeer): void => {
      const address = peer.address === undefined ? undefined : parseIpv4(peer.address);
      if (address === undefined || bytes.length > maxDatagramBytes) return;
      const known = peers.get(endpoint(address, peer.port));
      // What the guest has not asked stays outside.
      if (known === undefined) return;
      flow.usedMs = this.#nowMs();
      this.#toGuest(guest, { address: known, port: peer.port }, bytes);
    };
    const socket = this.#host.openUdp({ received, failed: () => this.#close(flow) });
    const flow: UdpFlow = { key, socket, peers, usedMs: 0, idleMs: idleDnsMs };
    return flow;
  }

  #close(flow: UdpFlow): void {
    flow.socket.close();
    if (this.#flows.get(flow.key) === flow) this.#flows.delete(flow.key);
  }
}

function dropOldest(peers: Map<number, number>): void {
  const oldest = peers.keys().next();
  if (!oldest.done) peers.delete(oldest.value);
}

/** A forwarded port of the host: its clients are the peers of one port of a guest. */
export class UdpForward {
  readonly guest: { readonly address: number; readonly port: number };
  readonly #gateway: number;
  readonly #toGuest: ToGuest;
  /** By the address and port that the guest knows, the host's address of the client. */
  readonly #clients = new Map<number, string>();
  #socket: HostUdp | undefined;

  constructor(guest: { address: number; port: number }, gateway: number, toGuest: ToGuest) {
    this.guest = guest;
    this.#gateway = gateway;
    this.#toGuest = toGuest;
  }

  /** Datagrams go out through `socket` from now on. */
  open(socket: HostUdp): void {
    this.#socket = socket;
  }

  received(bytes: Uint8Array, peer: HostPeer): void {
    const client = peer.address === undefined ? undefined : parseIpv4(peer.address);
    if (client === undefined || peer.address === undefined || bytes.length > maxDatagramBytes) return;
    // The guest cannot answer a loopback address; the gateway stands for it.
    const address = isLoopback(client) ? this.#gateway : client;
    const key = endpoint(address, peer.port);
    if (!this.#clients.has(key) && this.#clients.size >= maxPeers) {
      const oldest = this.#clients.keys().next();
      if (!oldest.done) this.#clients.delete(oldest.value);
    }
    this.#clients.set(key, peer.address);
    this.#toGuest(this.guest, { address, port: peer.port }, bytes);
  }

  /** Takes a datagram of the guest if it is for a client. @returns whether it is */
  answer(guestAddress: number, destination: number, frame: Uint8Array, datagram: UdpDatagram): boolean {
    if (datagram.sourcePort !== this.guest.port || guestAddress !== this.guest.address) return false;
    const client = this.#clients.get(endpoint(destination, datagram.destinationPort));
    if (client === undefined) return false;
    const payload = frame.subarray(datagram.payloadStart, datagram.payloadEnd);
    this.#socket?.send(payload, client, datagram.destinationPort);
    return true;
  }

  close(): void {
    this.#socket?.close();
  }
}
