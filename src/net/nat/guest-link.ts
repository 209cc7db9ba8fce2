/** The NAT's way to its guests: puts Ethernet and IPv4 headers before what protocols have written into `frame`. */
import { ethernet, etherType } from '../../spec/net/ethernet.ts';
import { ipv4, ipv4Fragment } from '../../spec/net/ipv4.ts';
import { broadcastMac, type MacAddress } from '../frame/address.ts';
import { arpReply, arpRequest } from '../frame/arp-packet.ts';
import { write16 } from '../frame/bytes.ts';
import { type Ipv4Header, writeIpv4Header } from '../frame/ipv4-packet.ts';
import type { FrameSink, Offload } from '../port.ts';
import type { Subnet } from './nat-config.ts';
import { Neighbours } from './neighbours.ts';

const ipAt = ethernet.headerBytes;

/** Where the payload of an IPv4 packet lies in `GuestLink.frame`. */
export const payloadAt = ipAt + ipv4.headerBytes;

/** As QEMU's: 52:55, then the gateway's address. */
function gatewayMac({ gateway }: Subnet): MacAddress {
  return Uint8Array.of(0x52, 0x55, gateway >>> 24, gateway >>> 16, gateway >>> 8, gateway);
}

export class GuestLink {
  /** The next frame; a payload is written at `payloadAt` and sent with `send`. */
  readonly frame = new Uint8Array(ethernet.headerBytes + ipv4.maxBytes);
  readonly mac: MacAddress;
  readonly subnet: Subnet;
  readonly mtuBytes: number;
  readonly #neighbours = new Neighbours();
  readonly #nowMs: () => number;
  readonly #header: Ipv4Header;
  #receiver: FrameSink | undefined;
  #identification = 0;

  constructor(subnet: Subnet, mtuBytes: number, nowMs: () => number) {
    this.subnet = subnet;
    this.mtuBytes = mtuBytes;
    this.mac = gatewayMac(subnet);
    this.#nowMs = nowMs;
    this.#header = {
      source: subnet.gateway,
      destination: 0,
      protocol: 0,
      identification: 0,
      fragment: 0,
      timeToLive: 64,
    };
    this.frame.set(this.mac, ethernet.source);
  }

  connect(receiver: FrameSink | undefined): void {
    this.#receiver = receiver;
  }

  /** Notes that the station `mac` has `address`, and sends what waited for that. */
  learn(address: number, mac: MacAddress): void {
    this.#neighbours.learn(address, mac);
    for (const { frame, offload } of this.#neighbours.takeWaiting(address)) {
      frame.set(mac, ethernet.destination);
      this.#receiver?.send(frame, offload);
    }
  }

  answerArp(mac: MacAddress, address: number, asked: number): void {
    this.#receiver?.send(arpReply({ mac: this.mac, address: asked }, { mac, address }));
  }

  /**
   * Sends the `payloadBytes` bytes that lie in `frame` at `payloadAt`, which fit into one packet or leave the cutting
   * to `offload`.
   * @returns false when there is no room
   */
  send(source: number, destination: number, protocol: number, payloadBytes: number, offload?: Offload): boolean {
    const header = this.#header;
    header.source = source;
    header.destination = destination;
    header.protocol = protocol;
    header.identification = this.#nextIdentification();
    header.fragment = ipv4Fragment.dontFragment;
    writeIpv4Header(this.frame, ipAt, ipv4.headerBytes + payloadBytes, header);
    return this.#sendTo(destination, this.frame.subarray(0, payloadAt + payloadBytes), offload);
  }

  /** Sends a datagram, finished and written as for `send`, in as many packets as it needs. */
  sendDatagram(source: number, destination: number, protocol: number, payloadBytes: number): boolean {
    const room = this.mtuBytes - ipv4.headerBytes;
    if (payloadBytes <= room) return this.send(source, destination, protocol, payloadBytes);
    const pieceBytes = room - (room % ipv4Fragment.unitBytes);
    const header = { ...this.#header, source, destination, protocol, identification: this.#nextIdentification() };
    const payload = this.frame.slice(payloadAt, payloadAt + payloadBytes);
    for (let at = 0; at < payloadBytes; at += pieceBytes) {
      const piece = payload.subarray(at, at + pieceBytes);
      const more = at + piece.length < payloadBytes ? ipv4Fragment.moreFragments : 0;
      header.fragment = more | (at / ipv4Fragment.unitBytes);
      writeIpv4Header(this.frame, ipAt, ipv4.headerBytes + piece.length, header);
      this.frame.set(piece, payloadAt);
      if (!this.#sendTo(destination, this.frame.subarray(0, payloadAt + piece.length))) return false;
    }
    return true;
  }

  /** Sends the packet whose payload lies in `frame` to a station that may have no address yet. */
  sendToStation(mac: MacAddress, destination: number, protocol: number, payloadBytes: number): void {
    const header = { ...this.#header, source: this.subnet.gateway, destination, protocol, fragment: 0 };
    writeIpv4Header(this.frame, ipAt, ipv4.headerBytes + payloadBytes, header);
    this.#deliver(mac, this.frame.subarray(0, payloadAt + payloadBytes));
  }

  #sendTo(address: number, frame: Uint8Array, offload?: Offload): boolean {
    const mac = this.#neighbours.find(address);
    if (mac !== undefined) return this.#deliver(mac, frame, offload);
    write16(frame, ethernet.type, etherType.ipv4);
    frame.set(broadcastMac, ethernet.destination);
    const { mac: ours, subnet } = this;
    if (this.#neighbours.wait(address, frame, offload, this.#nowMs())) {
      this.#receiver?.send(arpRequest({ mac: ours, address: subnet.gateway }, address));
    }
    return true;
  }

  #deliver(mac: MacAddress, frame: Uint8Array, offload?: Offload): boolean {
    frame.set(mac, ethernet.destination);
    write16(frame, ethernet.type, etherType.ipv4);
    return this.#receiver?.send(frame, offload) ?? true;
  }

  #nextIdentification(): number {
    this.#identification = (this.#identification + 1) & 0xffff;
    return this.#identification;
  }
}
