/**
 * A network behind the host's own sockets, as QEMU's user mode has it: guests get addresses by DHCP, a router, and a
 * name server; what they send outside goes through sockets of this process, and forwarded ports lead back in. IPv6 is
 * not spoken.
 */

import { arpOperation } from '../../spec/net/arp.ts';
import { dhcp } from '../../spec/net/dhcp.ts';
import { dns as dnsNumbers } from '../../spec/net/dns.ts';
import { ethernet, etherType, groupBit } from '../../spec/net/ethernet.ts';
import { icmpUnreachable } from '../../spec/net/icmp.ts';
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { ok, type Result } from '../../support/result.ts';
import type { NetClock } from '../clock.ts';
import { readArpPacket } from '../frame/arp-packet.ts';
import { read16 } from '../frame/bytes.ts';
import { transportChecksumIsRight } from '../frame/checksum.ts';
import { isDnsQuery } from '../frame/dns-message.ts';
import { emptyIpv4Packet, type Ipv4Packet, isFragment, readIpv4Packet } from '../frame/ipv4-packet.ts';
import { readUdpDatagram, type UdpDatagram, type UdpEnds, writeUdpHeader } from '../frame/udp-datagram.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../port.ts';
import { TimerQueue } from '../timer-queue.ts';
import { hostDestination } from './destination.ts';
import { DhcpServer, isForDhcpServer } from './dhcp-server.ts';
import { GuestLink, payloadAt } from './guest-link.ts';
import type { HostListener, HostNetwork } from './host-network.ts';
import { IcmpResponder } from './icmp-responder.ts';
import { isGuestAddress, isInSubnet, type NatConfig, type PortForward } from './nat-config.ts';
import { Reassembly } from './reassembly.ts';
import { TcpFlows } from './tcp/tcp-flows.ts';
import { maxDatagramBytes, type ToGuest, UdpFlows, UdpForward } from './udp-flows.ts';

const sweepEveryMs = 10_000;

export class Nat implements NetPort {
  readonly #config: NatConfig;
  readonly #host: HostNetwork;
  readonly #timers: TimerQueue;
  readonly #link: GuestLink;
  readonly #icmp: IcmpResponder;
  readonly #dhcp: DhcpServer;
  readonly #tcp: TcpFlows;
  readonly #udp: UdpFlows;
  readonly #forwards: UdpForward[] = [];
  readonly #listeners: HostListener[] = [];
  readonly #reassembly = new Reassembly();
  readonly #packet = emptyIpv4Packet();
  readonly #datagram: UdpDatagram = { sourcePort: 0, destinationPort: 0, payloadStart: 0, payloadEnd: 0 };
  #closed = false;

  constructor(config: NatConfig, host: HostNetwork, clock: NetClock) {
    this.#config = config;
    this.#host = host;
    this.#timers = new TimerQueue(clock);
    const nowMs = (): number => clock.nowMs();
    this.#link = new GuestLink(config.subnet, config.mtuBytes, nowMs);
    this.#icmp = new IcmpResponder(this.#link, config, nowMs);
    this.#dhcp = new DhcpServer(config, nowMs);
    this.#tcp = new TcpFlows({
      config,
      host,
      link: this.#link,
      icmp: this.#icmp,
      timers: this.#timers,
      defer: (run) => clock.defer(run),
    });
    this.#udp = new UdpFlows(host, this.#toGuest, nowMs);
    const sweep = this.#timers.createTimer(() => {
      this.#udp.sweep();
      this.#tcp.sweep();
      sweep.start(sweepEveryMs);
    });
    sweep.start(sweepEveryMs);
  }

  /** Opens the forwarded port of the host. */
  async forward(forward: PortForward): Promise<Result<void>> {
    const { protocol, hostAddress, hostPort } = forward;
    const guest = { address: forward.guestAddress ?? this.#config.subnet.firstGuest, port: forward.guestPort };
    if (protocol === 'tcp') {
      const listener = await this.#host.listenTcp(hostAddress, hostPort, (stream, peer) =>
        this.#tcp.accept(guest, stream, peer),
      );
      if (listener.ok) this.#listeners.push(listener.value);
      return listener.ok ? ok(undefined) : listener;
    }
    const udpForward = new UdpForward(guest, this.#config.subnet.gateway, this.#toGuest);
    const socket = await this.#host.bindUdp(hostAddress, hostPort, {
      received: (bytes, peer) => udpForward.received(bytes, peer),
      failed: () => {},
    });
    if (!socket.ok) return socket;
    udpForward.open(socket.value);
    this.#forwards.push(udpForward);
    return ok(undefined);
  }

  connect(receiver: FrameSink): void {
    this.#link.connect(receiver);
  }

  resume(): void {
    this.#tcp.resume();
  }

  close(): void {
    this.#closed = true;
    this.#tcp.close();
    this.#udp.close();
    for (const forward of this.#forwards) forward.close();
    for (const listener of this.#listeners) listener.close();
    this.#timers.close();
    this.#link.connect(nobody);
  }

  /** Takes every frame; what cannot go on is dropped, as a router does. */
  send(frame: Frame, offload?: Offload): boolean {
    if (this.#closed || frame.length < ethernet.headerBytes || !this.#isForUs(frame)) return true;
    const type = read16(frame, ethernet.type);
    if (type === etherType.arp) this.#receiveArp(frame);
    else if (type === etherType.ipv4) this.#receiveIpv4(frame, offload);
    return true;
  }

  #isForUs(frame: Frame): boolean {
    if (((frame[0] as number) & groupBit) !== 0) return true;
    const { mac } = this.#link;
    for (let i = 0; i < ethernet.addressBytes; i++) if (frame[i] !== mac[i]) return false;
    return true;
  }

  #receiveArp(frame: Frame): void {
    const packet = readArpPacket(frame, ethernet.headerBytes);
    if (packet === undefined || ((packet.senderMac[0] as number) & groupBit) !== 0) return;
    const { subnet } = this.#config;
    const { senderAddress, senderMac, targetAddress } = packet;
    if (isGuestAddress(subnet, senderAddress)) this.#learn(senderAddress, senderMac);
    const ours = targetAddress === subnet.gateway || targetAddress === subnet.dns;
    if (packet.operation === arpOperation.request && ours)
      this.#link.answerArp(senderMac, senderAddress, targetAddress);
  }

  #learn(address: number, mac: Uint8Array): void {
    if (this.#link.learn(address, mac)) this.#tcp.guestAppeared(address);
  }

  #receiveIpv4(frame: Frame, offload: Offload | undefined): void {
    const packet = this.#packet;
    if (!readIpv4Packet(frame, ethernet.headerBytes, packet)) return;
    if (isGuestAddress(this.#config.subnet, packet.source)) {
      this.#learn(packet.source, frame.subarray(ethernet.source, ethernet.source + ethernet.addressBytes));
    } else if (packet.source !== 0) {
      return;
    }
    if (!isFragment(packet)) {
      this.#route(frame, packet, offload === undefined);
      return;
    }
    const whole = this.#reassembly.add(frame, packet, this.#timers.nowMs());
    if (whole !== undefined) this.#route(whole.frame, whole.packet, true);
  }

  #route(frame: Frame, packet: Ipv4Packet, hasChecksum: boolean): void {
    const { protocol, payloadStart, payloadEnd } = packet;
    const isTransport = protocol === ipProtocol.tcp || protocol === ipProtocol.udp;
    if (isTransport && payloadEnd - payloadStart < minTransportBytes) return;
    if (isTransport && hasChecksum && !transportChecksumIsRight(frame, payloadStart, payloadEnd, packet)) return;
    if (protocol === ipProtocol.udp) {
      this.#receiveUdp(frame, packet);
      return;
    }
    if (packet.source === 0 || this.#isOnCable(packet.destination)) return;
    if (packet.timeToLive <= 1 && !this.#isOurs(packet.destination)) this.#icmp.timeExceeded(frame, packet);
    else if (protocol === ipProtocol.tcp) this.#tcp.receive(frame, packet);
    else if (protocol === ipProtocol.icmp) this.#icmp.receive(frame, packet);
    else this.#icmp.unreachable(frame, packet, icmpUnreachable.protocol);
  }

  #isOurs(address: number): boolean {
    const { gateway, dns } = this.#config.subnet;
    return address === gateway || address === dns;
  }

  /** Whether a packet to this address is none of a router's business: guests reach each other on their own. */
  #isOnCable(address: number): boolean {
    if (address >>> 29 === 0b111) return true;
    return isInSubnet(this.#config.subnet, address) && !this.#isOurs(address);
  }

  #receiveUdp(frame: Frame, packet: Ipv4Packet): void {
    const datagram = this.#datagram;
    const { source, destination } = packet;
    if (!readUdpDatagram(frame, packet.payloadStart, packet.payloadEnd, datagram)) return;
    if (isForDhcpServer(this.#config, destination, datagram.destinationPort)) {
      this.#receiveDhcp(frame.subarray(datagram.payloadStart, datagram.payloadEnd));
      return;
    }
    if (source === 0 || this.#isOnCable(destination) || !hasPorts(datagram)) return;
    if (this.#forwards.some((forward) => forward.answer(source, destination, frame, datagram))) return;
    if (packet.timeToLive <= 1 && !this.#isOurs(destination)) {
      this.#icmp.timeExceeded(frame, packet);
      return;
    }
    if (destination === this.#config.subnet.dns) {
      this.#receiveDns(frame, packet, datagram);
      return;
    }
    const hostAddress = hostDestination(this.#config, destination);
    if (hostAddress !== undefined) this.#udp.send(source, destination, hostAddress, frame, datagram);
    else {
      const code = this.#isOurs(destination) ? icmpUnreachable.port : icmpUnreachable.prohibited;
      this.#icmp.unreachable(frame, packet, code);
    }
  }

  #receiveDhcp(bytes: Uint8Array): void {
    const answer = this.#dhcp.receive(bytes);
    if (answer === undefined) return;
    const { frame, subnet } = this.#link;
    frame.set(answer.message, payloadAt + udpHeaderBytes);
    const ends: UdpEnds = {
      source: subnet.gateway,
      sourcePort: dhcp.serverPort,
      destination: answer.address,
      destinationPort: dhcp.clientPort,
    };
    const length = writeUdpHeader(frame, payloadAt, answer.message.length, ends);
    this.#link.sendToStation(answer.mac, answer.address, ipProtocol.udp, length);
  }

  #receiveDns(frame: Frame, packet: Ipv4Packet, datagram: UdpDatagram): void {
    if (datagram.destinationPort !== dnsNumbers.port || this.#config.restricted) {
      this.#icmp.unreachable(frame, packet, icmpUnreachable.port);
      return;
    }
    const query = frame.slice(datagram.payloadStart, datagram.payloadEnd);
    if (!isDnsQuery(query)) return;
    const guest = { address: packet.source, port: datagram.sourcePort };
    const server = { address: packet.destination, port: datagram.destinationPort };
    this.#host.resolve(query, (message) => {
      if (!this.#closed && message.length <= maxDatagramBytes) this.#toGuest(guest, server, message);
    });
  }

  readonly #toGuest: ToGuest = (guest, source, bytes) => {
    const { frame } = this.#link;
    frame.set(bytes, payloadAt + udpHeaderBytes);
    const length = writeUdpHeader(frame, payloadAt, bytes.length, {
      source: source.address,
      sourcePort: source.port,
      destination: guest.address,
      destinationPort: guest.port,
    });
    this.#link.sendDatagram(source.address, guest.address, ipProtocol.udp, length);
  };
}

/** Port 0 is nobody's, and nothing that a socket can be told. */
const hasPorts = ({ sourcePort, destinationPort }: UdpDatagram): boolean => sourcePort !== 0 && destinationPort !== 0;

const udpHeaderBytes = 8;
/** Checksums lie within so many bytes of both protocols. */
const minTransportBytes = 8;

const nobody: FrameSink = { send: () => true, resume: () => {} };
