/** Frames that no stack would send: nothing is thrown, nothing grows without bound, and honest guests are still served. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import { write16 } from '../frame/bytes.ts';
import { writeIpv4Checksum } from '../frame/ipv4-packet.ts';
import type { Offload } from '../port.ts';
import { Switch } from '../switch/switch.ts';
import { natBench } from '../testing/nat-bench.ts';
import { bytes, ends, openConnection } from '../testing/open-connection.ts';
import { guestMac, ipv4Frame, tcpFrame, udpFrame } from '../testing/scripted-guest.ts';

/** A frame that is nearly right: one of each kind, some bytes changed, perhaps cut, its header checksum mended. */
function nearly(random: Random): Uint8Array {
  const flags = random.pick(['S', 'A', 'PA', 'FA', 'R', 'SA', 'FPUA', 'SFR', '']);
  const frame = random.pick([
    () =>
      tcpFrame(
        { ...ends, port: 40_000 + random.below(4) },
        {
          flags,
          sequence: random.pick([0, 0xffff_fff0, 0xffff_fff1, random.below(2 ** 32)]),
          acknowledgment: random.pick([0, 0xffff_ff01, random.below(2 ** 32)]),
          window: random.pick([0, 1, 500, 0xffff]),
          mssBytes: random.pick([0, 1, 1460, 0xffff]),
          windowScale: random.pick([-1, 0, 14, 255]),
          payload: new Uint8Array(random.below(3000)),
        },
      ),
    () => udpFrame({ ...ends, remotePort: random.pick([53, 67, 80]) }, new Uint8Array(random.below(600))),
    () => udpFrame({ source: 0, port: 68, remote: 0xffff_ffff, remotePort: 67 }, bytes(300, random.below(256))),
    () =>
      ipv4Frame(
        {
          destination: random.below(2 ** 32),
          protocol: random.pick([ipProtocol.icmp, ipProtocol.udp, ipProtocol.tcp, 47]),
          fragment: random.below(0x4000),
        },
        random.below(2000),
        () => {},
      ),
  ])();
  for (let changes = random.below(4); changes > 0; changes--) frame[random.below(frame.length)] = random.below(256);
  if (random.below(2) === 0) frame.set(random.pick([guestMac, new Uint8Array(6).fill(0xff)]), 0);
  if (frame.length >= 34 && random.below(4) > 0) writeIpv4Checksum(frame, 14, ((frame[14] as number) & 0xf) * 4);
  return random.below(5) === 0 ? frame.subarray(0, random.below(frame.length)) : frame;
}

function offload(random: Random): Offload | undefined {
  if (random.below(2) === 0) return undefined;
  return {
    checksumStart: random.pick([0, 14, 34, 65_535]),
    checksumOffset: random.pick([0, 6, 16, 65_535]),
    segmentBytes: random.pick([0, 1, 1460, 65_535]),
  };
}

test('the NAT outlives twenty thousand hostile frames', async () => {
  const bench = natBench({ allowLoopback: true });
  const forward = { hostAddress: '127.0.0.1', hostPort: 2222, guestAddress: undefined, guestPort: 22 } as const;
  await bench.nat.forward({ protocol: 'tcp', ...forward });
  const random = new Random(4711);
  for (let i = 0; i < 20_000; i++) {
    bench.nat.send(nearly(random), offload(random));
    const stream = bench.host.streams[random.below(bench.host.streams.length + 1)];
    const what = random.below(40);
    if (what === 0) stream?.events.connected();
    if (what === 1) stream?.events.data(bytes(random.below(65_536)));
    if (what === 2) stream?.events.ended();
    if (what === 3) stream?.events.lost();
    if (what === 4) stream?.take();
    if (what === 5) bench.host.sockets.at(-1)?.events.received(bytes(50), { address: '198.51.100.7', port: 80 });
    if (what === 6) bench.clock.advance(random.below(2000));
    if (what === 7) bench.guest.hasRoom = random.below(3) > 0;
    if (what === 8) bench.nat.resume();
    if (what === 9) bench.host.knock('127.0.0.1', random.below(65_536));
    if (i % 200 === 0) await bench.settle();
    bench.guest.frames.length = 0;
  }
  bench.guest.hasRoom = true;
  bench.nat.resume();
  bench.clock.advance(1000);
  bench.guest.take();
  const connection = openConnection(bench, {}, { ...ends, port: 50_000 });
  connection.send('PA', 0, 0, { payload: [1, 2, 3] });
  await bench.settle();
  assert.deepEqual(connection.stream.written, [1, 2, 3]);
  bench.nat.close();
  assert.equal(bench.clock.pendingTimers, 0);
});

test('bytes of chance do nothing', () => {
  const bench = natBench();
  const random = new Random(99);
  const middle = new Switch(() => bench.clock.nowMs());
  const ports = [middle.addPort({ kind: 'trunk' }), middle.addPort({ kind: 'access', vlan: 5 })];
  const natPort = middle.addPort({ kind: 'trunk' });
  assert.ok(natPort);
  bench.nat.connect(natPort);
  natPort.connect(bench.nat);
  for (let i = 0; i < 20_000; i++) {
    const frame = Uint8Array.from({ length: random.below(120) }, () => random.below(256));
    if (frame.length > 16 && random.below(2) === 0) {
      write16(frame, 12, random.pick([0x0800, 0x0806, 0x8100, 0x86dd]));
      if (random.below(2) === 0) write16(frame, 16, 0x0800);
    }
    random.pick(ports)?.send(frame, offload(random));
  }
  assert.deepEqual(bench.host.streams, []);
});
