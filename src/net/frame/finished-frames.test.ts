import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etherType } from '../../spec/net/ethernet.ts';
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { tcp } from '../../spec/net/tcp.ts';
import { ends, remote } from '../testing/open-connection.ts';
import { guestAddress, tcpFrame, udpFrame } from '../testing/scripted-guest.ts';
import { read16, write16 } from './bytes.ts';
import { partialSum, pseudoHeaderSum, transportChecksumIsRight } from './checksum.ts';
import { FinishedFrames } from './finished-frames.ts';
import { emptyIpv4Packet, readIpv4Packet } from './ipv4-packet.ts';
import { emptyTcpSegment, readTcpSegment } from './tcp-segment.ts';

const payload = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff);

/** A frame whose checksum field holds the sum of the pseudo header, as offloading stacks leave it. */
function unfinished(flags = 'PAF'): Uint8Array {
  const frame = tcpFrame(ends, { flags, sequence: 0xffff_fc00, acknowledgment: 9, payload });
  write16(frame, 34 + tcp.checksum, pseudoHeaderSum(guestAddress, remote, ipProtocol.tcp, frame.length - 34));
  return frame;
}

function finish(frame: Uint8Array, offload: { checksumStart: number; checksumOffset: number; segmentBytes: number }) {
  const out: Uint8Array[] = [];
  const sink = { send: (piece: Uint8Array) => out.push(piece.slice()) > 0, resume: () => {} };
  assert.equal(new FinishedFrames(sink).send(frame, offload), true);
  return out;
}

test('a large segment becomes small ones, each right by itself', () => {
  const frame = unfinished();
  const before = frame.slice();
  const pieces = finish(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 });
  assert.deepEqual(frame, before, "the sender's frame is not touched");
  assert.equal(pieces.length, 4);
  const bytes: number[] = [];
  for (const [index, piece] of pieces.entries()) {
    const packet = emptyIpv4Packet();
    const segment = emptyTcpSegment();
    assert.ok(readIpv4Packet(piece, 14, packet), 'length and header checksum are right');
    assert.ok(transportChecksumIsRight(piece, packet.payloadStart, packet.payloadEnd, packet));
    assert.ok(readTcpSegment(piece, packet.payloadStart, packet.payloadEnd, segment));
    assert.equal(segment.sequence, (0xffff_fc00 + index * 1460) >>> 0);
    assert.equal(packet.identification, 7 + index);
    assert.equal(segment.flags, index === 3 ? 0x19 : 0x10, 'FIN and PSH come last');
    bytes.push(...piece.subarray(segment.payloadStart));
  }
  assert.deepEqual(bytes, [...payload]);
});

test('congestion window reduced is said once', () => {
  const frame = unfinished('A');
  frame[34 + tcp.flags] = 0x90;
  const flags = finish(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 2000 }).map((piece) => piece[47]);
  assert.deepEqual(flags, [0x90, 0x10, 0x10]);
});

test('segments of a tagged frame, and of IPv6', () => {
  const plain = unfinished();
  const tagged = Uint8Array.of(...plain.subarray(0, 12), 0x81, 0, 0, 5, ...plain.subarray(12));
  const pieces = finish(tagged, { checksumStart: 38, checksumOffset: 16, segmentBytes: 3000 });
  assert.deepEqual(
    pieces.map((piece) => piece.length),
    [58 + 3000, 58 + 2000],
  );
  const six = new Uint8Array(14 + 40 + 20 + payload.length);
  write16(six, 12, etherType.ipv6);
  six[14] = 0x60;
  six[54 + 12] = 0x50;
  six.set(payload, 74);
  // Addresses of zeroes: the pseudo header is length and protocol.
  write16(six, 54 + 16, 20 + payload.length + ipProtocol.tcp);
  for (const piece of finish(six, { checksumStart: 54, checksumOffset: 16, segmentBytes: 3000 })) {
    assert.equal(read16(piece, 18), piece.length - 54, 'the payload length of the IPv6 header');
    assert.equal(partialSum(piece, 54, piece.length, piece.length - 54 + ipProtocol.tcp), 0xffff);
  }
});

test('a checksum alone; UDP never says that it has none', () => {
  const frame = udpFrame(ends, [1, 2, 3]);
  const right = read16(frame, 40);
  write16(frame, 40, pseudoHeaderSum(guestAddress, remote, ipProtocol.udp, frame.length - 34));
  const [finished] = finish(frame, { checksumStart: 34, checksumOffset: 6, segmentBytes: 0 }) as [Uint8Array];
  assert.equal(read16(finished, 40), right);
  // With this content the sum is all ones, whose inverse is zero.
  write16(frame, 42, 0);
  write16(frame, 40, 0);
  const sum = partialSum(frame, 34, frame.length);
  write16(frame, 40, 0xffff - sum);
  const [zero] = finish(frame, { checksumStart: 34, checksumOffset: 6, segmentBytes: 0 }) as [Uint8Array];
  assert.equal(read16(zero, 40), 0xffff);
});

test('what cannot be done is dropped', () => {
  const frame = unfinished();
  for (const offload of [
    { checksumStart: 34, checksumOffset: 16, segmentBytes: 1 },
    { checksumStart: 60_000, checksumOffset: 16, segmentBytes: 0 },
    { checksumStart: frame.length - 1, checksumOffset: 0, segmentBytes: 0 },
    { checksumStart: 35, checksumOffset: 16, segmentBytes: 1000 },
    { checksumStart: 34, checksumOffset: 6, segmentBytes: 1000 },
    { checksumStart: 0, checksumOffset: 16, segmentBytes: 1000 },
  ]) {
    assert.deepEqual(finish(frame, offload), []);
  }
  assert.deepEqual(finish(frame.subarray(0, 40), { checksumStart: 34, checksumOffset: 16, segmentBytes: 10 }), []);
  frame[34 + 12] = 0xf0;
  assert.equal(finish(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1000 }).length, 5);
  frame[34 + 12] = 0x10;
  assert.deepEqual(finish(frame, { checksumStart: 34, checksumOffset: 16, segmentBytes: 1000 }), []);
});

test('a refused frame is refused, a refused segment after the first is lost', () => {
  const answers = [true, false, false];
  const sink = new FinishedFrames({ send: () => answers.shift() ?? true, resume: () => {} });
  const offload = { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 };
  assert.equal(sink.send(unfinished(), offload), true);
  answers.unshift(false);
  assert.equal(sink.send(unfinished(), offload), false);
});
