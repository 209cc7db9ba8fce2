/** UDP headers. Source: RFC 768. */
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { udp } from '../../spec/net/udp.ts';
import { read16, write16 } from './bytes.ts';
import { finishChecksum, pseudoHeaderSum } from './checksum.ts';

/** What the header says; one object serves many datagrams. Offsets are from the start of the frame. */
export interface UdpDatagram {
  sourcePort: number;
  destinationPort: number;
  payloadStart: number;
  payloadEnd: number;
}

/** Reads the header at `start` of a packet that ends at `end`. @returns false for a datagram that is cut short */
export function readUdpDatagram(frame: Uint8Array, start: number, end: number, datagram: UdpDatagram): boolean {
  if (end - start < udp.headerBytes) return false;
  const length = read16(frame, start + udp.length);
  if (length < udp.headerBytes || start + length > end) return false;
  datagram.sourcePort = read16(frame, start + udp.sourcePort);
  datagram.destinationPort = read16(frame, start + udp.destinationPort);
  datagram.payloadStart = start + udp.headerBytes;
  datagram.payloadEnd = start + length;
  return true;
}

/** Both ends of a datagram. */
export interface UdpEnds {
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
}

/** Puts a header at `at` before `payloadBytes` bytes that lie behind it, with its checksum. @returns the whole length */
export function writeUdpHeader(frame: Uint8Array, at: number, payloadBytes: number, ends: UdpEnds): number {
  const length = udp.headerBytes + payloadBytes;
  write16(frame, at + udp.sourcePort, ends.sourcePort);
  write16(frame, at + udp.destinationPort, ends.destinationPort);
  write16(frame, at + udp.length, length);
  write16(frame, at + udp.checksum, pseudoHeaderSum(ends.source, ends.destination, ipProtocol.udp, length));
  finishChecksum(frame, at, udp.checksum, at + length);
  return length;
}
