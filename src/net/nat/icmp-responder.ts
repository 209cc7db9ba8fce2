/** The NAT's ICMP: echoes of its own addresses, and errors. Source: RFC 792, RFC 1812 4.3. */
import { icmp, icmpType, icmpUnreachable } from '../../spec/net/icmp.ts';
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { write16 } from '../frame/bytes.ts';
import { checksum } from '../frame/checksum.ts';
import type { Ipv4Packet } from '../frame/ipv4-packet.ts';
import { type GuestLink, payloadAt } from './guest-link.ts';
import type { NatConfig } from './nat-config.ts';

/** What an error quotes of the payload. RFC 792. */
const quotedPayloadBytes = 8;
/** Errors in a burst, and how often one is earned. RFC 1812 4.3.2.8. */
const errorBurst = 50;
const errorEveryMs = 20;

export class IcmpResponder {
  readonly #link: GuestLink;
  readonly #config: NatConfig;
  readonly #nowMs: () => number;
  #credit: number = errorBurst;
  #creditMs = 0;

  constructor(link: GuestLink, config: NatConfig, nowMs: () => number) {
    this.#link = link;
    this.#config = config;
    this.#nowMs = nowMs;
  }

  /** Answers echoes to the gateway and the name server; to others none can be sent without privileges. */
  receive(frame: Uint8Array, packet: Ipv4Packet): void {
    const length = packet.payloadEnd - packet.payloadStart;
    if (length < icmp.headerBytes || frame[packet.payloadStart + icmp.type] !== icmpType.echoRequest) return;
    if (checksum(frame, packet.payloadStart, packet.payloadEnd) !== 0) return;
    const { gateway, dns } = this.#config.subnet;
    if (packet.destination !== gateway && packet.destination !== dns) {
      this.unreachable(frame, packet, icmpUnreachable.prohibited);
      return;
    }
    const reply = this.#link.frame;
    reply.set(frame.subarray(packet.payloadStart, packet.payloadEnd), payloadAt);
    reply[payloadAt + icmp.type] = icmpType.echoReply;
    this.#send(packet.destination, packet.source, length);
  }

  /** Tells the sender of `packet` that it does not arrive. */
  unreachable(frame: Uint8Array, packet: Ipv4Packet, code: number): void {
    this.error(quote(frame, packet), packet.source, icmpType.unreachable, code);
  }

  timeExceeded(frame: Uint8Array, packet: Ipv4Packet): void {
    this.error(quote(frame, packet), packet.source, icmpType.timeExceeded, 0);
  }

  /** @param quoted of the packet that did not arrive, from `quote` */
  error(quoted: Uint8Array, guest: number, type: number, code: number): void {
    if (!this.#mayTellError()) return;
    const { frame } = this.#link;
    frame.fill(0, payloadAt, payloadAt + icmp.headerBytes);
    frame[payloadAt + icmp.type] = type;
    frame[payloadAt + icmp.code] = code;
    frame.set(quoted, payloadAt + icmp.headerBytes);
    this.#send(this.#config.subnet.gateway, guest, icmp.headerBytes + quoted.length);
  }

  #send(source: number, destination: number, length: number): void {
    const { frame } = this.#link;
    write16(frame, payloadAt + icmp.checksum, 0);
    write16(frame, payloadAt + icmp.checksum, checksum(frame, payloadAt, payloadAt + length));
    this.#link.sendDatagram(source, destination, ipProtocol.icmp, length);
  }

  #mayTellError(): boolean {
    const now = this.#nowMs();
    this.#credit = Math.min(errorBurst, this.#credit + (now - this.#creditMs) / errorEveryMs);
    this.#creditMs = now;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }
}

/** The header of a packet and the begin of its payload, as errors quote them: a copy. */
export function quote(frame: Uint8Array, packet: Ipv4Packet): Uint8Array {
  return frame.slice(packet.start, Math.min(packet.payloadEnd, packet.payloadStart + quotedPayloadBytes));
}
