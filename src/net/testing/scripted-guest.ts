/** A guest whose every frame a test writes, on a cable to a NAT. */
import { arpOperation } from '../../spec/net/arp.ts';
import { ethernet, etherType } from '../../spec/net/ethernet.ts';
import { ipProtocol, ipv4 } from '../../spec/net/ipv4.ts';
import { tcp, tcpFlag } from '../../spec/net/tcp.ts';
import { ipv4Address } from '../frame/address.ts';
import { arpReply, readArpPacket } from '../frame/arp-packet.ts';
import { read16, write16 } from '../frame/bytes.ts';
import { finishChecksum, pseudoHeaderSum, transportChecksumIsRight } from '../frame/checksum.ts';
import { FinishedFrames } from '../frame/finished-frames.ts';
import { emptyIpv4Packet, type Ipv4Packet, readIpv4Packet, writeIpv4Header } from '../frame/ipv4-packet.ts';
import { emptyTcpSegment, readTcpSegment, tcpHeaderBytes, writeTcpHeader } from '../frame/tcp-segment.ts';
import { writeUdpHeader } from '../frame/udp-datagram.ts';
import type { Frame, FrameSink, NetPort } from '../port.ts';

export const guestMac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
export const gatewayMac = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);
export const guestAddress = ipv4Address(10, 0, 2, 15);

/** A segment as a test reads it. */
export interface SeenSegment {
  readonly source: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** In the order of the header, like `SA` or `FPA`. */
  readonly flags: string;
  readonly window: number;
  readonly mssBytes: number;
  readonly windowScale: number;
  readonly payload: number[];
}

const flagLetters = [
  [tcpFlag.fin, 'F'],
  [tcpFlag.syn, 'S'],
  [tcpFlag.rst, 'R'],
  [tcpFlag.psh, 'P'],
  [tcpFlag.ack, 'A'],
  [tcpFlag.urg, 'U'],
] as const;

const flagText = (flags: number): string => flagLetters.map(([bit, letter]) => (flags & bit ? letter : '')).join('');

const flagBits = (text: string): number =>
  flagLetters.reduce((bits, [bit, letter]) => (text.includes(letter) ? bits | bit : bits), 0);

export interface SegmentToSend {
  readonly flags: string;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly window?: number;
  readonly payload?: ArrayLike<number>;
  readonly mssBytes?: number;
  readonly windowScale?: number;
}

export interface TcpEnds {
  readonly port: number;
  readonly remote: number;
  readonly remotePort: number;
}

/** An IPv4 frame of the guest around a payload that `fill` writes. */
export function ipv4Frame(
  ends: { source?: number; destination: number; protocol: number; timeToLive?: number; fragment?: number },
  payloadBytes: number,
  fill: (frame: Uint8Array, at: number) => void,
): Uint8Array {
  const frame = new Uint8Array(ethernet.headerBytes + ipv4.headerBytes + payloadBytes);
  frame.set(gatewayMac, ethernet.destination);
  frame.set(guestMac, ethernet.source);
  write16(frame, ethernet.type, etherType.ipv4);
  writeIpv4Header(frame, ethernet.headerBytes, ipv4.headerBytes + payloadBytes, {
    source: ends.source ?? guestAddress,
    destination: ends.destination,
    protocol: ends.protocol,
    identification: 7,
    fragment: ends.fragment ?? 0,
    timeToLive: ends.timeToLive ?? 64,
  });
  fill(frame, ethernet.headerBytes + ipv4.headerBytes);
  return frame;
}

/** A frame with a finished TCP segment. */
export function tcpFrame(ends: TcpEnds, segment: SegmentToSend): Uint8Array {
  const payload = Uint8Array.from(segment.payload ?? []);
  const header = {
    sourcePort: ends.port,
    destinationPort: ends.remotePort,
    sequence: (segment.sequence ?? 0) >>> 0,
    acknowledgment: (segment.acknowledgment ?? 0) >>> 0,
    flags: flagBits(segment.flags),
    window: segment.window ?? 0xffff,
    mssBytes: segment.mssBytes ?? 0,
    windowScale: segment.windowScale ?? -1,
  };
  const length = tcpHeaderBytes(header) + payload.length;
  const sum = pseudoHeaderSum(guestAddress, ends.remote, ipProtocol.tcp, length);
  return ipv4Frame({ destination: ends.remote, protocol: ipProtocol.tcp }, length, (frame, at) => {
    const headerBytes = writeTcpHeader(frame, at, header, sum);
    frame.set(payload, at + headerBytes);
    finishChecksum(frame, at, tcp.checksum, at + length);
  });
}

export function udpFrame(ends: TcpEnds & { source?: number }, payload: ArrayLike<number>): Uint8Array {
  const source = ends.source ?? guestAddress;
  return ipv4Frame({ source, destination: ends.remote, protocol: ipProtocol.udp }, 8 + payload.length, (frame, at) => {
    frame.set(Uint8Array.from(payload), at + 8);
    writeUdpHeader(frame, at, payload.length, {
      source,
      sourcePort: ends.port,
      destination: ends.remote,
      destinationPort: ends.remotePort,
    });
  });
}

export class ScriptedGuest {
  /** Every frame that came, finished and cut to the MTU, as on a wire. */
  readonly frames: Uint8Array[] = [];
  /** Lengths of frames as the NAT gave them, before they were cut. */
  readonly rawLengths: number[] = [];
  /** Whether the guest takes frames. */
  hasRoom = true;
  answersArp = true;
  readonly #nat: NetPort;

  constructor(nat: NetPort) {
    this.#nat = nat;
    const finished = new FinishedFrames({ send: (frame) => this.#take(frame), resume: () => {} });
    const sink: FrameSink = {
      send: (frame, offload) => {
        if (!this.hasRoom) return false;
        this.rawLengths.push(frame.length);
        return finished.send(frame, offload);
      },
      resume: () => {},
    };
    nat.connect(sink);
  }

  #take(frame: Frame): boolean {
    const copy = frame.slice();
    if (read16(copy, ethernet.type) !== etherType.arp) {
      this.frames.push(copy);
      return true;
    }
    const packet = readArpPacket(copy, ethernet.headerBytes);
    if (packet?.operation !== arpOperation.request) this.frames.push(copy);
    else if (this.answersArp && packet.targetAddress === guestAddress) {
      const reply = arpReply(
        { mac: guestMac, address: guestAddress },
        { mac: packet.senderMac.slice(), address: packet.senderAddress },
      );
      queueMicrotask(() => this.#nat.send(reply));
    }
    return true;
  }

  send(frame: Uint8Array): void {
    this.#nat.send(frame);
  }

  sendTcp(ends: TcpEnds, segment: SegmentToSend): void {
    this.send(tcpFrame(ends, segment));
  }

  /** Takes the frames that came since the last call. */
  take(): Uint8Array[] {
    return this.frames.splice(0);
  }

  /** Takes the IPv4 packets that came; their checksums have to be right. */
  takePackets(): { frame: Uint8Array; packet: Ipv4Packet }[] {
    return this.take().map((frame) => {
      const packet = emptyIpv4Packet();
      if (!readIpv4Packet(frame, ethernet.headerBytes, packet)) throw new Error('not a packet');
      const isTransport = packet.protocol !== ipProtocol.icmp && packet.fragment !== 0x2000;
      if (
        isTransport &&
        (packet.fragment & 0x3fff) === 0 &&
        !transportChecksumIsRight(frame, packet.payloadStart, packet.payloadEnd, packet)
      ) {
        throw new Error('wrong checksum');
      }
      return { frame, packet };
    });
  }

  /** Takes the TCP segments that came. */
  takeSegments(): SeenSegment[] {
    return this.takePackets().map(({ frame, packet }) => {
      const segment = emptyTcpSegment();
      if (packet.protocol !== ipProtocol.tcp) throw new Error('not TCP');
      if (!readTcpSegment(frame, packet.payloadStart, packet.payloadEnd, segment)) throw new Error('not a segment');
      return {
        source: packet.source,
        sourcePort: segment.sourcePort,
        destinationPort: segment.destinationPort,
        sequence: segment.sequence,
        acknowledgment: segment.acknowledgment,
        flags: flagText(segment.flags),
        window: segment.window,
        mssBytes: segment.mssBytes,
        windowScale: segment.windowScale,
        payload: [...frame.subarray(segment.payloadStart, segment.payloadEnd)],
      };
    });
  }
}
