/**
 * Does what an `Offload` left undone, for receivers that put frames on a wire: checksums, and cutting TCP payloads
 * into segments (IPv4 and IPv6, with or without a VLAN tag).
 */
import { ethernet, etherType, vlanTag } from '../../spec/net/ethernet.ts';
import { ipProtocol, ipv4, ipv6 } from '../../spec/net/ipv4.ts';
import { tcp, tcpFlag } from '../../spec/net/tcp.ts';
import type { Frame, FrameSink, Offload } from '../port.ts';
import { read16, read32, write16, write32 } from './bytes.ts';
import { finishChecksum } from './checksum.ts';
import { writeIpv4Checksum } from './ipv4-packet.ts';

/** A frame that would become more is dropped: no stack asks for segments that small. */
const maxSegments = 2048;

/** Where the headers of a frame with TCP in it lie; offsets from the start of the frame. */
interface TcpPlace {
  readonly ip: number;
  readonly version: 4 | 6;
  readonly tcp: number;
  readonly payload: number;
}

/** Hands finished frames on to `sink`. */
export class FinishedFrames implements FrameSink {
  readonly #sink: FrameSink;
  #scratch = new Uint8Array(2048);

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  send(frame: Frame, offload?: Offload): boolean {
    if (offload === undefined) return this.#sink.send(frame);
    const { checksumStart, checksumOffset, segmentBytes } = offload;
    if (checksumStart + checksumOffset + 2 > frame.length) return true;
    if (segmentBytes > 0) {
      const place = findTcp(frame, checksumStart);
      if (place === undefined || checksumOffset !== tcp.checksum) return true;
      if (frame.length - place.payload > segmentBytes) return this.#sendSegments(frame, place, segmentBytes);
    }
    const copy = this.#room(frame.length);
    copy.set(frame);
    finishChecksum(copy, checksumStart, checksumOffset, frame.length);
    return this.#sink.send(copy);
  }

  resume(): void {
    this.#sink.resume();
  }

  /** @returns false if the first segment was refused; later ones are lost without a word, as the first has gone. */
  #sendSegments(frame: Frame, place: TcpPlace, segmentBytes: number): boolean {
    const payloadBytes = frame.length - place.payload;
    if (payloadBytes > segmentBytes * maxSegments) return true;
    for (let done = 0, index = 0; done < payloadBytes; done += segmentBytes, index++) {
      const count = Math.min(segmentBytes, payloadBytes - done);
      const piece = this.#room(place.payload + count);
      piece.set(frame.subarray(0, place.payload));
      piece.set(frame.subarray(place.payload + done, place.payload + done + count), place.payload);
      finishSegment(piece, place, { whole: frame.length, done, index, last: done + count === payloadBytes });
      if (!this.#sink.send(piece) && done === 0) return false;
    }
    return true;
  }

  #room(bytes: number): Uint8Array {
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(bytes * 2);
    return this.#scratch.subarray(0, bytes);
  }
}

function findTcp(frame: Frame, checksumStart: number): TcpPlace | undefined {
  let typeAt: number = ethernet.type;
  if (frame.length < ethernet.headerBytes + vlanTag.bytes) return undefined;
  if (read16(frame, typeAt) === etherType.vlan) typeAt += vlanTag.bytes;
  const ip = typeAt + 2;
  const type = read16(frame, typeAt);
  if (type !== etherType.ipv4 && type !== etherType.ipv6) return undefined;
  const version = type === etherType.ipv4 ? 4 : 6;
  if (checksumStart < ip + (version === 4 ? ipv4.headerBytes : ipv6.headerBytes)) return undefined;
  if (version === 4 && frame[ip + ipv4.protocol] !== ipProtocol.tcp) return undefined;
  if (version === 4 && ip + ((frame[ip] as number) & 0xf) * 4 !== checksumStart) return undefined;
  if (frame.length < checksumStart + tcp.headerBytes) return undefined;
  const headerBytes = ((frame[checksumStart + tcp.dataOffset] as number) >>> 4) * 4;
  const payload = checksumStart + headerBytes;
  if (headerBytes < tcp.headerBytes || payload > frame.length) return undefined;
  return { ip, version, tcp: checksumStart, payload };
}

/** A piece's place in the whole: the whole frame's length, the payload bytes before it, its number. */
interface Cut {
  readonly whole: number;
  readonly done: number;
  readonly index: number;
  readonly last: boolean;
}

function finishSegment(piece: Uint8Array, place: TcpPlace, cut: Cut): void {
  const { ip } = place;
  const { whole, done, index, last } = cut;
  if (place.version === 4) {
    write16(piece, ip + ipv4.totalLength, piece.length - ip);
    write16(piece, ip + ipv4.identification, read16(piece, ip + ipv4.identification) + index);
    writeIpv4Checksum(piece, ip, place.tcp - ip);
  } else {
    write16(piece, ip + ipv6.payloadLength, piece.length - ip - ipv6.headerBytes);
  }
  write32(piece, place.tcp + tcp.sequence, read32(piece, place.tcp + tcp.sequence) + done);
  let flags = piece[place.tcp + tcp.flags] as number;
  if (!last) flags &= ~(tcpFlag.fin | tcpFlag.psh);
  if (done > 0) flags &= ~tcpFlag.cwr;
  piece[place.tcp + tcp.flags] = flags;
  // The field holds the pseudo header's sum with the whole's length in it: take that out, and this piece's in.
  const sumAt = place.tcp + tcp.checksum;
  const sum = read16(piece, sumAt) + (~(whole - place.tcp) & 0xffff) + (piece.length - place.tcp);
  write16(piece, sumAt, (sum & 0xffff) + (sum >>> 16));
  finishChecksum(piece, place.tcp, tcp.checksum, piece.length);
}
