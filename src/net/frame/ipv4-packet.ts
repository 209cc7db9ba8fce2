/** IPv4 packets in Ethernet frames. Source: RFC 791. */
import { ipv4, ipv4Fragment } from '../../spec/net/ipv4.ts';
import { read16, read32, write16, write32 } from './bytes.ts';
import { checksum, partialSum } from './checksum.ts';

/** What the header says; one object serves many packets. Offsets are from the start of the frame. */
export interface Ipv4Packet {
  source: number;
  destination: number;
  protocol: number;
  timeToLive: number;
  identification: number;
  /** Flags and offset as they stand in the header. */
  fragment: number;
  start: number;
  payloadStart: number;
  payloadEnd: number;
}

export function emptyIpv4Packet(): Ipv4Packet {
  return {
    source: 0,
    destination: 0,
    protocol: 0,
    timeToLive: 0,
    identification: 0,
    fragment: 0,
    start: 0,
    payloadStart: 0,
    payloadEnd: 0,
  };
}

/** Reads the header at `start`. @returns false for what is no IPv4 packet, is cut short, or has a wrong header checksum */
export function readIpv4Packet(frame: Uint8Array, start: number, packet: Ipv4Packet): boolean {
  if (frame.length < start + ipv4.headerBytes) return false;
  const first = frame[start] as number;
  const headerBytes = (first & 0xf) * 4;
  const totalLength = read16(frame, start + ipv4.totalLength);
  if (first >>> 4 !== 4 || headerBytes < ipv4.headerBytes || totalLength < headerBytes) return false;
  if (frame.length < start + totalLength) return false;
  if (partialSum(frame, start, start + headerBytes) !== 0xffff) return false;
  packet.source = read32(frame, start + ipv4.source);
  packet.destination = read32(frame, start + ipv4.destination);
  packet.protocol = frame[start + ipv4.protocol] as number;
  packet.timeToLive = frame[start + ipv4.timeToLive] as number;
  packet.identification = read16(frame, start + ipv4.identification);
  packet.fragment = read16(frame, start + ipv4.fragment);
  packet.start = start;
  packet.payloadStart = start + headerBytes;
  packet.payloadEnd = start + totalLength;
  return true;
}

/** Whether the packet is a part of a larger one. */
export function isFragment(packet: Ipv4Packet): boolean {
  return (packet.fragment & (ipv4Fragment.moreFragments | ipv4Fragment.offsetMask)) !== 0;
}

/** The fields of a header without options. */
export interface Ipv4Header {
  source: number;
  destination: number;
  protocol: number;
  identification: number;
  fragment: number;
  timeToLive: number;
}

/** Writes 20 bytes of header at `at`, for a packet of `totalLength` bytes. */
export function writeIpv4Header(frame: Uint8Array, at: number, totalLength: number, header: Ipv4Header): void {
  frame[at] = (4 << 4) | (ipv4.headerBytes / 4);
  frame[at + ipv4.service] = 0;
  write16(frame, at + ipv4.totalLength, totalLength);
  write16(frame, at + ipv4.identification, header.identification);
  write16(frame, at + ipv4.fragment, header.fragment);
  frame[at + ipv4.timeToLive] = header.timeToLive;
  frame[at + ipv4.protocol] = header.protocol;
  write32(frame, at + ipv4.source, header.source);
  write32(frame, at + ipv4.destination, header.destination);
  writeIpv4Checksum(frame, at, ipv4.headerBytes);
}

export function writeIpv4Checksum(frame: Uint8Array, at: number, headerBytes: number): void {
  write16(frame, at + ipv4.checksum, 0);
  write16(frame, at + ipv4.checksum, checksum(frame, at, at + headerBytes));
}
