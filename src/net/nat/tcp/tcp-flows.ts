/** All TCP connections of a NAT: which segment belongs to which, and the beginning of new ones. */

import { dns } from '../../../spec/net/dns.ts';
import { icmpType, icmpUnreachable } from '../../../spec/net/icmp.ts';
import { ipProtocol } from '../../../spec/net/ipv4.ts';
import { tcp, tcpFlag } from '../../../spec/net/tcp.ts';
import { formatIpv4, parseIpv4 } from '../../frame/address.ts';
import { pseudoHeaderSum } from '../../frame/checksum.ts';
import type { Ipv4Packet } from '../../frame/ipv4-packet.ts';
import {
  emptyTcpSegment,
  readTcpSegment,
  type TcpHeader,
  type TcpSegment,
  tcpHeaderBytes,
  writeTcpHeader,
} from '../../frame/tcp-segment.ts';
import type { TimerQueue } from '../../timer-queue.ts';
import { hostDestination, isLoopback } from '../destination.ts';
import { type FlowKey, FlowTable } from '../flow-table.ts';
import { type GuestLink, payloadAt } from '../guest-link.ts';
import type { ConnectFailure, HostNetwork, HostPeer, HostStream, StreamEvents } from '../host-network.ts';
import { type IcmpResponder, quote } from '../icmp-responder.ts';
import type { NatConfig } from '../nat-config.ts';
import type { ControlBlock, TcpNetwork, TcpPayload } from './control-block.ts';
import { MemoryBudget } from './memory-budget.ts';
import { acknowledgeNews, resume } from './tcp-sender.ts';
import { type SpliceOwner, TcpSplice } from './tcp-splice.ts';

const maxTcpFlows = 2048;
/** Connections that the host is asked for at once. */
const maxConnecting = 256;
/** Beyond what each connection has anyway. */
const bufferBudgetBytes = 128 << 20;
/** A guest that is silent so long is asked; one that does not answer for so long is gone. */
const askAfterMs = 300_000;
const goneAfterMs = 450_000;
const firstEphemeralPort = 49_152;

/** What the flows need of the NAT around them. */
export interface TcpSurroundings {
  readonly config: NatConfig;
  readonly link: GuestLink;
  readonly icmp: IcmpResponder;
  readonly host: HostNetwork;
  readonly timers: TimerQueue;
  readonly defer: (run: () => void) => void;
}

export class TcpFlows implements TcpNetwork, SpliceOwner {
  readonly timers: TimerQueue;
  readonly budget = new MemoryBudget(bufferBudgetBytes);
  readonly mssBytes: number;
  readonly #around: TcpSurroundings;
  readonly #table = new FlowTable<TcpSplice>();
  readonly #segment = emptyTcpSegment();
  readonly #offload = { checksumStart: payloadAt, checksumOffset: tcp.checksum, segmentBytes: 0 };
  readonly #heldBack = new Set<ControlBlock>();
  /** What errors about a connection attempt quote. */
  readonly #quoted = new Map<TcpSplice, Uint8Array>();
  #scheduled: ControlBlock[] = [];
  #nextPort = firstEphemeralPort;

  constructor(around: TcpSurroundings) {
    this.#around = around;
    this.timers = around.timers;
    this.mssBytes = around.link.mtuBytes - 40;
  }

  get size(): number {
    return this.#table.size;
  }

  /** Takes a packet of a guest whose checksum is right. */
  receive(frame: Uint8Array, packet: Ipv4Packet): void {
    const segment = this.#segment;
    if (!readTcpSegment(frame, packet.payloadStart, packet.payloadEnd, segment)) return;
    // Port 0 is nobody's, and nothing that a socket can be told.
    if (segment.sourcePort === 0 || segment.destinationPort === 0) return;
    const { source, destination } = packet;
    const flow = this.#table.find(source, segment.sourcePort, destination, segment.destinationPort);
    const isSyn = (segment.flags & (tcpFlag.syn | tcpFlag.ack | tcpFlag.rst)) === tcpFlag.syn;
    if (flow !== undefined && !(isSyn && flow.mayBeReplacedBy(segment))) {
      flow.receive(segment, frame);
      return;
    }
    flow?.abort();
    if (isSyn) this.#connect(frame, packet, segment);
    else if ((segment.flags & tcpFlag.rst) === 0) this.#refuse(packet.source, packet.destination, segment);
  }

  /** Connects a guest to somebody who came to a forwarded port. */
  accept(guest: { address: number; port: number }, stream: HostStream, peer: HostPeer): StreamEvents | undefined {
    if (!this.#hasRoom()) return undefined;
    const { subnet } = this.#around.config;
    const client = (peer.address === undefined ? undefined : parseIpv4(peer.address)) ?? subnet.gateway;
    // The guest cannot answer a loopback address; the gateway stands for it.
    const remoteAddress = isLoopback(client) ? subnet.gateway : client;
    const remotePort = this.#freePort(guest, remoteAddress, peer.port);
    if (remotePort === undefined) return undefined;
    const key = { guestAddress: guest.address, guestPort: guest.port, remoteAddress, remotePort };
    const splice = new TcpSplice(key, this, this);
    this.#table.add(splice);
    splice.connectGuest(stream);
    return splice;
  }

  /** A guest is heard for the first time: who has been waiting for it need wait no longer. */
  guestAppeared(address: number): void {
    for (const flow of this.#table.all()) if (flow.guestAddress === address) flow.hurry();
  }

  /** Frames go out again. */
  resume(): void {
    if (this.#heldBack.size === 0) return;
    const blocks = [...this.#heldBack];
    this.#heldBack.clear();
    for (const block of blocks) resume(block);
  }

  /** Asks guests that have been silent for long whether they are still there. */
  sweep(): void {
    const now = this.timers.nowMs();
    for (const flow of this.#table.all()) {
      const silentMs = now - flow.heardMs;
      if (silentMs > goneAfterMs) flow.abort();
      else if (silentMs > askAfterMs) flow.probe();
    }
  }

  close(): void {
    for (const flow of this.#table.all()) flow.abort();
  }

  // What connections ask.

  send(flow: FlowKey, header: TcpHeader, payload: TcpPayload, mssBytes: number): boolean {
    const { link } = this.#around;
    const { guestAddress, remoteAddress } = flow;
    const length = tcpHeaderBytes(header) + payload.length;
    const sum = pseudoHeaderSum(remoteAddress, guestAddress, ipProtocol.tcp, length);
    const headerBytes = writeTcpHeader(link.frame, payloadAt, header, sum);
    if (payload.length > 0) payload.ring.copy(payload.offset, payload.length, link.frame, payloadAt + headerBytes);
    this.#offload.segmentBytes = payload.length > mssBytes ? mssBytes : 0;
    return link.send(remoteAddress, guestAddress, ipProtocol.tcp, length, this.#offload);
  }

  scheduleAcknowledgment(block: ControlBlock): void {
    if (block.acknowledgmentScheduled) return;
    block.acknowledgmentScheduled = true;
    if (this.#scheduled.length === 0) this.#around.defer(() => this.#acknowledgeScheduled());
    this.#scheduled.push(block);
  }

  holdBack(block: ControlBlock): void {
    this.#heldBack.add(block);
  }

  initialSequence(): number {
    return this.#around.host.random32();
  }

  // What splices tell.

  connected(splice: TcpSplice): void {
    this.#quoted.delete(splice);
  }

  failed(splice: TcpSplice, failure: ConnectFailure): void {
    const quoted = this.#quoted.get(splice);
    const { icmp } = this.#around;
    if (failure === 'refused') splice.refuse((syn) => this.#refuse(splice.guestAddress, splice.remoteAddress, syn));
    else if (quoted !== undefined) {
      icmp.error(quoted, splice.guestAddress, icmpType.unreachable, icmpUnreachable.host);
    }
  }

  ended(splice: TcpSplice): void {
    this.#quoted.delete(splice);
    this.#table.remove(splice);
  }

  #connect(frame: Uint8Array, packet: Ipv4Packet, syn: TcpSegment): void {
    const { config, host, icmp } = this.#around;
    const target = this.#target(packet.destination, syn.destinationPort);
    if (target === undefined) {
      const ours = packet.destination === config.subnet.gateway || packet.destination === config.subnet.dns;
      if (ours) this.#refuse(packet.source, packet.destination, syn);
      else icmp.unreachable(frame, packet, icmpUnreachable.prohibited);
      return;
    }
    // The guest asks again; by then there may be room.
    if (this.#quoted.size >= maxConnecting) return;
    if (!this.#hasRoom()) {
      this.#refuse(packet.source, packet.destination, syn);
      return;
    }
    const key = {
      guestAddress: packet.source,
      guestPort: syn.sourcePort,
      remoteAddress: packet.destination,
      remotePort: syn.destinationPort,
    };
    const splice = new TcpSplice(key, this, this);
    this.#table.add(splice);
    this.#quoted.set(splice, quote(frame, packet));
    splice.connectHost(host.connectTcp(target, syn.destinationPort, splice), syn);
  }

  /** The host's address, as text, for what a guest calls `destination`. */
  #target(destination: number, port: number): string | undefined {
    const { config, host } = this.#around;
    if (destination === config.subnet.dns && port === dns.port && !config.restricted) return host.dnsServer();
    const address = hostDestination(config, destination);
    return address === undefined ? undefined : formatIpv4(address);
  }

  /** Answers a segment that belongs to no connection. RFC 9293 3.10.7.1. */
  #refuse(guest: number, remote: number, segment: TcpSegment): void {
    const acknowledges = (segment.flags & tcpFlag.ack) !== 0;
    const syn = (segment.flags & tcpFlag.syn) !== 0 ? 1 : 0;
    const length = segment.payloadEnd - segment.payloadStart + syn;
    const header: TcpHeader = {
      sourcePort: segment.destinationPort,
      destinationPort: segment.sourcePort,
      sequence: acknowledges ? segment.acknowledgment : 0,
      acknowledgment: acknowledges ? 0 : (segment.sequence + length) >>> 0,
      flags: acknowledges ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack,
      window: 0,
      mssBytes: 0,
      windowScale: -1,
    };
    const { link } = this.#around;
    const sum = pseudoHeaderSum(remote, guest, ipProtocol.tcp, tcp.headerBytes);
    writeTcpHeader(link.frame, payloadAt, header, sum);
    this.#offload.segmentBytes = 0;
    link.send(remote, guest, ipProtocol.tcp, tcp.headerBytes, this.#offload);
  }

  #freePort(guest: { address: number; port: number }, remote: number, wanted: number): number | undefined {
    if (this.#table.find(guest.address, guest.port, remote, wanted) === undefined) return wanted;
    for (let tries = 0; tries < maxTcpFlows; tries++) {
      const port = this.#nextPort;
      this.#nextPort = port === 0xffff ? firstEphemeralPort : port + 1;
      if (this.#table.find(guest.address, guest.port, remote, port) === undefined) return port;
    }
    return undefined;
  }

  /** Whether there may be one more connection; those that only wait for old segments make room. */
  #hasRoom(): boolean {
    if (this.#table.size < maxTcpFlows) return true;
    this.#table
      .all()
      .find((flow) => flow.isWaiting)
      ?.abandon();
    return this.#table.size < maxTcpFlows;
  }

  #acknowledgeScheduled(): void {
    const blocks = this.#scheduled;
    this.#scheduled = [];
    for (const block of blocks) acknowledgeNews(block);
  }
}
