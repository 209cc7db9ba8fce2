/** A connection from a guest to the world, established as a test wants it. */
import assert from 'node:assert/strict';
import { ipv4Address } from '../frame/address.ts';
import type { FakeStream } from './fake-host-network.ts';
import type { natBench } from './nat-bench.ts';
import type { SeenSegment, SegmentToSend, TcpEnds } from './scripted-guest.ts';

export const remote = ipv4Address(198, 51, 100, 7);
export const ends: TcpEnds = { port: 40_000, remote, remotePort: 80 };

/** The guest's first sequence number: its stream soon passes the end of the numbers. */
export const guestSyn = 0xffff_fff0;

export class OpenConnection {
  readonly stream: FakeStream;
  /** The NAT's first sequence number. */
  readonly natSyn: number;
  readonly #bench: ReturnType<typeof natBench>;
  readonly #ends: TcpEnds;

  constructor(bench: ReturnType<typeof natBench>, stream: FakeStream, natSyn: number, tcpEnds: TcpEnds) {
    this.#bench = bench;
    this.stream = stream;
    this.natSyn = natSyn;
    this.#ends = tcpEnds;
  }

  /** Sends a segment whose numbers are offsets into the two streams. */
  send(flags: string, sent: number, received: number, more: Partial<SegmentToSend> = {}): void {
    this.#bench.guest.sendTcp(this.#ends, {
      flags,
      sequence: guestSyn + 1 + sent,
      acknowledgment: this.natSyn + 1 + received,
      ...more,
    });
  }

  /** What came, as `flags offset+length` with offsets in the NAT's stream, and the acknowledged offset. */
  seen(): { text: string; acknowledged: number; window: number }[] {
    return this.#bench.guest.takeSegments().map((segment) => ({
      text: `${segment.flags} ${(segment.sequence - this.natSyn - 1) | 0}+${segment.payload.length}`,
      acknowledged: (segment.acknowledgment - guestSyn - 1) | 0,
      window: segment.window,
    }));
  }

  texts(): string[] {
    return this.seen().map(({ text }) => text);
  }
}

export function openConnection(
  bench: ReturnType<typeof natBench>,
  syn: Partial<SegmentToSend> = {},
  tcpEnds = ends,
): OpenConnection {
  const { guest, host } = bench;
  const before = host.streams.length;
  guest.sendTcp(tcpEnds, { flags: 'S', sequence: guestSyn, mssBytes: 1460, windowScale: 7, window: 64_000, ...syn });
  const stream = host.streams[before];
  assert.ok(stream);
  assert.deepEqual(guest.takeSegments(), [], 'no answer before the host has connected');
  stream.events.connected();
  const [answer] = guest.takeSegments() as [SeenSegment];
  assert.equal(answer.flags, 'SA');
  assert.equal(answer.acknowledgment, (guestSyn + 1) >>> 0);
  const connection = new OpenConnection(bench, stream, answer.sequence, tcpEnds);
  connection.send('A', 0, 0, { window: syn.windowScale === -1 ? 64_000 : 500 });
  assert.deepEqual(guest.takeSegments(), []);
  return connection;
}

export const bytes = (count: number, first = 0): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (first + i) & 0xff);
