/** Puts fragments of IPv4 packets together, within bounds. Source: RFC 791 3.2, RFC 815; overlaps as in RFC 5722. */

import { ethernet } from '../../spec/net/ethernet.ts';
import { ipv4, ipv4Fragment } from '../../spec/net/ipv4.ts';
import type { Ipv4Packet } from '../frame/ipv4-packet.ts';

const maxPackets = 16;
const maxFragments = 256;
const timeoutMs = 15_000;

interface Partial {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly identification: number;
  readonly untilMs: number;
  /** By offset, copies of payloads. */
  readonly pieces: Map<number, Uint8Array>;
  receivedBytes: number;
  /** Length of the whole payload, once the last fragment is here. */
  totalBytes: number | undefined;
}

/** A packet in a frame of its own. */
export interface WholePacket {
  readonly frame: Uint8Array;
  readonly packet: Ipv4Packet;
}

export class Reassembly {
  #partials: Partial[] = [];

  /** @returns the whole packet, when `packet` was its last missing fragment */
  add(frame: Uint8Array, packet: Ipv4Packet, nowMs: number): WholePacket | undefined {
    this.#partials = this.#partials.filter(({ untilMs }) => untilMs > nowMs);
    const offset = (packet.fragment & ipv4Fragment.offsetMask) * ipv4Fragment.unitBytes;
    const more = (packet.fragment & ipv4Fragment.moreFragments) !== 0;
    const payload = frame.slice(packet.payloadStart, packet.payloadEnd);
    const end = offset + payload.length;
    if (payload.length === 0 || end + ipv4.headerBytes > ipv4.maxBytes) return undefined;
    if (more && payload.length % ipv4Fragment.unitBytes !== 0) return undefined;
    const partial = this.#find(packet) ?? this.#begin(packet, nowMs);
    if (partial.pieces.get(offset)?.length === payload.length) return undefined;
    const contradicts =
      overlaps(partial, offset, end) ||
      (!more && partial.totalBytes !== undefined && partial.totalBytes !== end) ||
      (partial.totalBytes !== undefined && end > partial.totalBytes) ||
      partial.pieces.size >= maxFragments;
    if (contradicts) {
      this.#drop(partial);
      return undefined;
    }
    partial.pieces.set(offset, payload);
    partial.receivedBytes += payload.length;
    if (!more) partial.totalBytes = end;
    if (partial.receivedBytes !== partial.totalBytes) return undefined;
    this.#drop(partial);
    return whole(partial, packet);
  }

  #find(packet: Ipv4Packet): Partial | undefined {
    return this.#partials.find(
      (partial) =>
        partial.identification === packet.identification &&
        partial.source === packet.source &&
        partial.destination === packet.destination &&
        partial.protocol === packet.protocol,
    );
  }

  #begin(packet: Ipv4Packet, nowMs: number): Partial {
    const { source, destination, protocol, identification } = packet;
    const pieces = new Map<number, Uint8Array>();
    const key = { source, destination, protocol, identification };
    const partial = { ...key, untilMs: nowMs + timeoutMs, pieces, receivedBytes: 0, totalBytes: undefined };
    if (this.#partials.length >= maxPackets) this.#partials.shift();
    this.#partials.push(partial);
    return partial;
  }

  #drop(partial: Partial): void {
    this.#partials = this.#partials.filter((other) => other !== partial);
  }
}

function overlaps({ pieces }: Partial, offset: number, end: number): boolean {
  for (const [begin, piece] of pieces) {
    if (begin < end && offset < begin + piece.length) return true;
  }
  return false;
}

function whole(partial: Partial, last: Ipv4Packet): WholePacket | undefined {
  const start = ethernet.headerBytes;
  const payloadStart = start + ipv4.headerBytes;
  const frame = new Uint8Array(payloadStart + partial.receivedBytes);
  // Pieces do not overlap and add up to the total; one that lies beyond it cannot be among them.
  for (const [offset, piece] of partial.pieces) {
    if (offset + piece.length > partial.receivedBytes) return undefined;
    frame.set(piece, payloadStart + offset);
  }
  return { frame, packet: { ...last, fragment: 0, start, payloadStart, payloadEnd: frame.length } };
}
