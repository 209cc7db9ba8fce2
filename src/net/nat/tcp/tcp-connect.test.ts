/** How connections begin and end, seen from a guest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { icmpType } from '../../../spec/net/icmp.ts';
import { ipProtocol } from '../../../spec/net/ipv4.ts';
import { ipv4Address } from '../../frame/address.ts';
import { arpRequest } from '../../frame/arp-packet.ts';
import { natBench } from '../../testing/nat-bench.ts';
import { bytes, ends, guestSyn, openConnection, remote } from '../../testing/open-connection.ts';
import { guestAddress, guestMac, udpFrame } from '../../testing/scripted-guest.ts';

const syn = { flags: 'S', sequence: guestSyn, mssBytes: 1460, windowScale: 7 } as const;
const gateway = ipv4Address(10, 0, 2, 2);

/** Type and code of the ICMP errors that came. */
function errors(bench: ReturnType<typeof natBench>): string[] {
  return bench.guest.takePackets().map(({ frame, packet }) => {
    assert.equal(packet.protocol, ipProtocol.icmp);
    assert.equal(frame[packet.payloadStart], icmpType.unreachable);
    return `code ${frame[packet.payloadStart + 1]}`;
  });
}

test('the host connects before the guest hears that it is connected', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, syn);
  const [stream] = bench.host.streams;
  assert.equal(stream?.address, '198.51.100.7');
  assert.equal(stream.port, 80);
  bench.guest.sendTcp(ends, syn);
  assert.equal(bench.host.streams.length, 1, 'a repeated SYN asks for nothing new');
  assert.deepEqual(bench.guest.takeSegments(), []);
  stream.events.connected();
  const [answer] = bench.guest.takeSegments();
  assert.equal(answer?.flags, 'SA');
  assert.equal(answer.mssBytes, 1460);
  assert.equal(answer.source, remote);
  assert.ok(answer.windowScale > 0);
});

test('a guest that scales no window gets none scaled', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, { flags: 'S', sequence: guestSyn });
  bench.host.streams[0]?.events.connected();
  const [answer] = bench.guest.takeSegments();
  assert.equal(answer?.windowScale, -1);
});

test('a refused connection is a reset, an unreachable host an ICMP error', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, syn);
  bench.host.streams[0]?.events.failed('refused');
  const [reset] = bench.guest.takeSegments();
  assert.equal(reset?.flags, 'RA');
  assert.equal(reset.acknowledgment, (guestSyn + 1) >>> 0);
  bench.guest.sendTcp(ends, syn);
  assert.equal(bench.host.streams.length, 2, 'it can be tried again');
  bench.host.streams[1]?.events.failed('unreachable');
  assert.deepEqual(errors(bench), ['code 1']);
});

test('a SYN-ACK that was lost comes again', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, syn);
  bench.host.streams[0]?.events.connected();
  assert.equal(bench.guest.takeSegments().length, 1);
  bench.clock.advance(1100);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'SA');
  bench.guest.sendTcp(ends, syn);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'SA', 'and when the guest repeats its SYN');
});

test('a guest that never answers a SYN-ACK is given up', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, syn);
  bench.host.streams[0]?.events.connected();
  bench.clock.advance(300_000);
  assert.equal(bench.guest.takeSegments().at(-1)?.flags, 'RA');
  assert.equal(bench.host.streams[0]?.wasReset, true);
});

test('a guest that changes its mind while the host connects ends the attempt', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, syn);
  bench.guest.sendTcp(ends, { flags: 'R', sequence: guestSyn + 1 });
  assert.equal(bench.host.streams[0]?.wasReset, true);
});

test('places that are closed to guests', () => {
  const bench = natBench();
  const code = (...address: [number, number, number, number]): string[] => {
    bench.guest.sendTcp({ ...ends, remote: ipv4Address(...address) }, syn);
    return errors(bench);
  };
  assert.deepEqual(code(127, 0, 0, 1), ['code 13']);
  assert.deepEqual(code(0, 0, 0, 0), ['code 13'], 'sockets take it for loopback');
  assert.deepEqual(code(169, 254, 169, 254), ['code 13']);
  assert.deepEqual(code(224, 0, 0, 1), [], 'errors about groups are not sent');
  bench.guest.sendTcp({ ...ends, remote: gateway }, syn);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'RA');
  assert.deepEqual(bench.host.streams, []);
});

test('loopback=on lets the gateway stand for loopback; the name server is reached over TCP', () => {
  const bench = natBench({ allowLoopback: true });
  bench.guest.sendTcp({ ...ends, remote: gateway }, syn);
  assert.equal(bench.host.streams[0]?.address, '127.0.0.1');
  bench.guest.sendTcp({ ...ends, remote: ipv4Address(10, 0, 2, 3), remotePort: 53 }, syn);
  assert.equal(bench.host.streams[1]?.address, '192.0.2.53');
  bench.guest.sendTcp({ ...ends, remote: ipv4Address(10, 0, 2, 3), remotePort: 80 }, syn);
  assert.equal(bench.host.streams.length, 2);
});

test('segments of no connection are reset', () => {
  const bench = natBench();
  bench.guest.sendTcp(ends, { flags: 'A', sequence: 5, acknowledgment: 77 });
  const [reset] = bench.guest.takeSegments();
  assert.equal(reset?.flags, 'R');
  assert.equal(reset.sequence, 77);
  bench.guest.sendTcp(ends, { flags: 'R', sequence: 5 });
  assert.deepEqual(bench.guest.takeSegments(), [], 'but no reset answers a reset');
});

test('the guest closes first: half-closed, then done after the host', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('FA', 0, 0);
  await bench.settle();
  assert.deepEqual(connection.seen()[0], { text: 'A 0+0', acknowledged: 1, window: 2048 });
  assert.equal(connection.stream.ended, true);
  assert.equal(connection.stream.events.data(bytes(10)), true, 'the host may still send');
  connection.stream.events.ended();
  connection.stream.events.lost();
  assert.deepEqual(connection.texts(), ['PA 0+10', 'FA 10+0']);
  connection.send('A', 1, 11);
  assert.equal(connection.stream.wasReset, false);
  connection.send('A', 1, 11);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'R', 'the connection is gone');
});

test('the host closes first: the guest may still send, and old segments are answered for a while', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.ended();
  assert.deepEqual(connection.texts(), ['FA 0+0']);
  connection.send('PA', 0, 1, { payload: [1, 2, 3] });
  await bench.settle();
  assert.deepEqual(connection.stream.written, [1, 2, 3]);
  connection.send('FA', 3, 1);
  await bench.settle();
  assert.equal(connection.stream.ended, true);
  assert.equal(connection.seen().at(-1)?.acknowledged, 4);
  connection.send('FA', 3, 1);
  assert.equal(connection.seen().at(-1)?.acknowledged, 4, 'TIME-WAIT answers a repeated FIN');
  bench.clock.advance(6000);
  connection.send('FA', 3, 1);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'R');
});

test('TIME-WAIT gives way to a new connection with higher numbers', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.ended();
  connection.send('FA', 0, 1);
  connection.send('A', 1, 1);
  bench.guest.take();
  bench.guest.sendTcp(ends, { ...syn, sequence: guestSyn + 1000 });
  assert.equal(bench.host.streams.length, 2);
});

test('both close at once', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.ended();
  connection.send('FA', 0, 0);
  connection.send('A', 1, 1);
  assert.equal(connection.seen().at(-1)?.acknowledged, 1);
  assert.equal(connection.stream.ended, true);
});

test('a FIN that was lost comes again', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.events.data(bytes(3));
  connection.send('A', 0, 3);
  connection.stream.events.ended();
  assert.deepEqual(connection.texts(), ['PA 0+3', 'FA 3+0']);
  bench.clock.advance(1100);
  assert.deepEqual(connection.texts(), ['FA 3+0']);
});

test("the guest's reset resets the host's socket, and the other way round", () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('R', 0, 0);
  assert.equal(connection.stream.wasReset, true);
  const other = openConnection(bench, {}, { ...ends, port: 40_001 });
  other.stream.events.lost();
  assert.deepEqual(other.texts(), ['RA 0+0']);
});

test('a reset with a number that only lies in the window is questioned, one outside ignored', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.send('R', 100, 0);
  assert.deepEqual(connection.texts(), ['A 0+0']);
  connection.send('R', -5000, 0);
  assert.deepEqual(connection.texts(), []);
  connection.send('S', 50, 0);
  assert.deepEqual(connection.texts(), ['A 0+0'], 'so is a SYN');
  assert.equal(connection.stream.wasReset, false);
});

test('what the guest sent before its end arrives although the connection is over', async () => {
  const bench = natBench();
  const connection = openConnection(bench);
  connection.stream.slow = true;
  connection.stream.events.ended();
  connection.send('PA', 0, 1, { payload: bytes(500) });
  connection.send('FPA', 500, 1, { payload: bytes(700) });
  connection.send('A', 1201, 1);
  bench.clock.advance(6000);
  assert.equal(connection.stream.ended, false);
  connection.stream.take();
  connection.stream.take();
  await bench.settle();
  assert.equal(connection.stream.written.length, 1200);
  assert.equal(connection.stream.ended, true);
  assert.equal(connection.stream.wasReset, false);
});

test('a forwarded port leads to the guest', async () => {
  const bench = natBench();
  const forward = { hostAddress: '127.0.0.1', hostPort: 2222, guestAddress: undefined, guestPort: 22 } as const;
  assert.deepEqual(await bench.nat.forward({ protocol: 'tcp', ...forward }), { ok: true, value: undefined });
  const stream = bench.host.knock('127.0.0.1', 5555);
  assert.ok(stream);
  await bench.settle();
  const [ask] = bench.guest.takeSegments();
  assert.equal(ask?.flags, 'S');
  assert.equal(ask.source, gateway, 'the gateway stands for loopback');
  assert.equal(ask.sourcePort, 5555);
  assert.equal(ask.destinationPort, 22);
  const back = { port: 22, remote: gateway, remotePort: 5555 };
  const established = { flags: 'SA', sequence: 9000, acknowledgment: ask.sequence + 1, mssBytes: 1460 };
  bench.guest.sendTcp(back, established);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'A');
  stream.events.data(Uint8Array.of(1, 2));
  assert.deepEqual(bench.guest.takeSegments()[0]?.payload, [1, 2]);
  const second = bench.host.knock('127.0.0.1', 5555);
  assert.ok(second);
  assert.notEqual(bench.guest.takeSegments()[0]?.sourcePort, 5555, 'two connections from one port are told apart');
});

test('a guest that refuses a forwarded connection, or is not there', async () => {
  const bench = natBench();
  const forward = { hostAddress: '127.0.0.1', hostPort: 2222, guestAddress: guestAddress, guestPort: 22 } as const;
  await bench.nat.forward({ protocol: 'tcp', ...forward });
  const stream = bench.host.knock('203.0.113.9', 1234);
  await bench.settle();
  const [ask] = bench.guest.takeSegments();
  assert.equal(ask?.source, ipv4Address(203, 0, 113, 9));
  const back = { port: 22, remote: ask.source, remotePort: 1234 };
  bench.guest.sendTcp(back, { flags: 'RA', acknowledgment: ask.sequence + 1 });
  assert.equal(stream?.wasReset, true);
  bench.guest.answersArp = false;
  const other = bench.host.knock('203.0.113.9', 1235);
  bench.clock.advance(300_000);
  assert.equal(other?.wasReset, true);
});

test('whoever waits for a guest that boots reaches it as soon as it is heard', async () => {
  const bench = natBench();
  const forward = { hostAddress: '127.0.0.1', hostPort: 2222, guestAddress: undefined, guestPort: 22 } as const;
  await bench.nat.forward({ protocol: 'tcp', ...forward });
  bench.guest.answersArp = false;
  bench.host.knock('127.0.0.1', 5555);
  bench.clock.advance(20_000);
  await bench.settle();
  bench.guest.take();
  bench.guest.send(arpRequest({ mac: guestMac, address: guestAddress }, gateway));
  const [ask] = bench.guest.take();
  assert.equal(ask?.[47], 2, 'a SYN');
});

test('connections have a limit, and those under way another', () => {
  const bench = natBench();
  for (let i = 0; i < 2000; i++) bench.guest.sendTcp({ ...ends, port: 10_000 + i }, syn);
  assert.equal(bench.host.streams.length, 256);
  for (let i = 2000; i < 5000; i++) {
    bench.guest.sendTcp({ ...ends, port: 10_000 + i }, syn);
    for (const stream of bench.host.streams.slice(-256)) stream.events.connected();
  }
  assert.equal(bench.host.streams.length, 2048);
  bench.guest.take();
  bench.guest.sendTcp({ ...ends, port: 9999 }, syn);
  assert.equal(bench.guest.takeSegments()[0]?.flags, 'RA');
});

test('connections that only wait for old segments make room for new ones', () => {
  const bench = natBench();
  for (let i = 0; i < 3000; i++) {
    const connection = openConnection(bench, {}, { ...ends, port: 10_000 + i });
    connection.stream.events.ended();
    connection.send('FA', 0, 1);
    bench.guest.take();
  }
  assert.equal(bench.host.streams.length, 3000);
});

test('port 0 is nobody', () => {
  const bench = natBench();
  bench.guest.sendTcp({ ...ends, remotePort: 0 }, syn);
  bench.guest.sendTcp({ ...ends, port: 0 }, syn);
  bench.guest.send(udpFrame({ ...ends, remotePort: 0 }, [1]));
  assert.deepEqual([bench.host.streams, bench.host.sockets, bench.guest.take()], [[], [], []]);
});

test('a guest that has vanished is asked, and then forgotten', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  bench.clock.advance(330_000);
  assert.ok(connection.texts().includes('A -1+0'));
  connection.send('A', 0, 0);
  bench.clock.advance(200_000);
  assert.equal(connection.stream.wasReset, false, 'it answered');
  bench.clock.advance(400_000);
  assert.equal(connection.stream.wasReset, true);
});

test('closing the NAT resets everything', () => {
  const bench = natBench();
  const connection = openConnection(bench);
  bench.nat.close();
  assert.equal(connection.stream.wasReset, true);
  assert.equal(bench.clock.pendingTimers, 0);
});
