/** TCP headers. Source: RFC 9293 3.1; window scale: RFC 7323. */
import { tcp, tcpLimits, tcpOption } from '../../spec/net/tcp.ts';
import { read16, read32, write16, write32 } from './bytes.ts';

/** What the header says; one object serves many segments. Offsets are from the start of the frame. */
export interface TcpSegment {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  flags: number;
  window: number;
  /** 0: no such option. */
  mssBytes: number;
  /** -1: no such option. */
  windowScale: number;
  payloadStart: number;
  payloadEnd: number;
}

export function emptyTcpSegment(): TcpSegment {
  return {
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgment: 0,
    flags: 0,
    window: 0,
    mssBytes: 0,
    windowScale: -1,
    payloadStart: 0,
    payloadEnd: 0,
  };
}

/** Reads the header at `start` of a segment that ends at `end`. @returns false for a header that does not fit */
export function readTcpSegment(frame: Uint8Array, start: number, end: number, segment: TcpSegment): boolean {
  if (end - start < tcp.headerBytes) return false;
  const headerBytes = ((frame[start + tcp.dataOffset] as number) >>> 4) * 4;
  if (headerBytes < tcp.headerBytes || start + headerBytes > end) return false;
  segment.sourcePort = read16(frame, start + tcp.sourcePort);
  segment.destinationPort = read16(frame, start + tcp.destinationPort);
  segment.sequence = read32(frame, start + tcp.sequence);
  segment.acknowledgment = read32(frame, start + tcp.acknowledgment);
  segment.flags = frame[start + tcp.flags] as number;
  segment.window = read16(frame, start + tcp.window);
  segment.payloadStart = start + headerBytes;
  segment.payloadEnd = end;
  segment.mssBytes = 0;
  segment.windowScale = -1;
  if (headerBytes > tcp.headerBytes) readOptions(frame, start + tcp.headerBytes, start + headerBytes, segment);
  return true;
}

/** Options that are cut short end the list; unknown ones are skipped. */
function readOptions(frame: Uint8Array, start: number, end: number, segment: TcpSegment): void {
  let at = start;
  while (at < end) {
    const kind = frame[at] as number;
    if (kind === tcpOption.end) return;
    if (kind === tcpOption.noOperation) {
      at++;
      continue;
    }
    const length = at + 1 < end ? (frame[at + 1] as number) : 0;
    if (length < 2 || at + length > end) return;
    if (kind === tcpOption.maxSegmentSize && length === 4) segment.mssBytes = read16(frame, at + 2);
    if (kind === tcpOption.windowScale && length === 3) {
      segment.windowScale = Math.min(frame[at + 2] as number, tcpLimits.maxWindowScale);
    }
    at += length;
  }
}

/** The fields of a header to write. `mssBytes` 0 and `windowScale` -1 leave their options out. */
export type TcpHeader = Omit<TcpSegment, 'payloadStart' | 'payloadEnd'>;

export function tcpHeaderBytes(header: TcpHeader): number {
  return tcp.headerBytes + (header.mssBytes > 0 ? 4 : 0) + (header.windowScale >= 0 ? 4 : 0);
}

/** Writes the header at `at`, its checksum field as `sum`. @returns its length in bytes */
export function writeTcpHeader(frame: Uint8Array, at: number, header: TcpHeader, sum: number): number {
  const headerBytes = tcpHeaderBytes(header);
  write16(frame, at + tcp.sourcePort, header.sourcePort);
  write16(frame, at + tcp.destinationPort, header.destinationPort);
  write32(frame, at + tcp.sequence, header.sequence);
  write32(frame, at + tcp.acknowledgment, header.acknowledgment);
  frame[at + tcp.dataOffset] = (headerBytes / 4) << 4;
  frame[at + tcp.flags] = header.flags;
  write16(frame, at + tcp.window, header.window);
  write16(frame, at + tcp.checksum, sum);
  write16(frame, at + tcp.checksum + 2, 0);
  let option = at + tcp.headerBytes;
  if (header.mssBytes > 0) {
    write16(frame, option, (tcpOption.maxSegmentSize << 8) | 4);
    write16(frame, option + 2, header.mssBytes);
    option += 4;
  }
  if (header.windowScale >= 0) {
    write16(frame, option, (tcpOption.noOperation << 8) | tcpOption.windowScale);
    write16(frame, option + 2, (3 << 8) | header.windowScale);
  }
  return headerBytes;
}
