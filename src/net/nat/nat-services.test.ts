/** What the NAT itself answers: ARP, DHCP, echoes, names, datagrams, errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dhcp, dhcpMessage, dhcpOption } from '../../spec/net/dhcp.ts';
import { icmpType } from '../../spec/net/icmp.ts';
import { ipProtocol } from '../../spec/net/ipv4.ts';
import { formatIpv4, ipv4Address } from '../frame/address.ts';
import { arpRequest, readArpPacket } from '../frame/arp-packet.ts';
import { read16, read32, write16, write32 } from '../frame/bytes.ts';
import { checksum } from '../frame/checksum.ts';
import { natBench } from '../testing/nat-bench.ts';
import { ends, remote } from '../testing/open-connection.ts';
import { gatewayMac, guestAddress, guestMac, ipv4Frame, udpFrame } from '../testing/scripted-guest.ts';

const gateway = ipv4Address(10, 0, 2, 2);
const nameServer = ipv4Address(10, 0, 2, 3);
type Bench = ReturnType<typeof natBench>;

/** The UDP datagrams that came: where from, where to, and what. */
function datagrams({ guest }: Bench) {
  return guest.takePackets().map(({ frame, packet }) => {
    assert.equal(packet.protocol, ipProtocol.udp);
    const at = packet.payloadStart;
    return {
      from: `${formatIpv4(packet.source)}:${read16(frame, at)}`,
      to: `${formatIpv4(packet.destination)}:${read16(frame, at + 2)}`,
      mac: frame.slice(0, 6),
      payload: frame.slice(at + 8, packet.payloadEnd),
    };
  });
}

interface DhcpQuestion {
  readonly type: number;
  readonly mac?: Uint8Array;
  readonly clientAddress?: number;
  readonly flags?: number;
  readonly options?: readonly (readonly [number, readonly number[]])[];
}

function dhcpFrame({ type, mac = guestMac, clientAddress = 0, flags = 0, options = [] }: DhcpQuestion): Uint8Array {
  const message = new Uint8Array(300);
  message.set([1, 1, 6]);
  write32(message, dhcp.transactionId, 0x1234_5678);
  write16(message, dhcp.flags, flags);
  write32(message, dhcp.clientAddress, clientAddress);
  message.set(mac, dhcp.clientHardware);
  write32(message, dhcp.cookie, 0x6382_5363);
  const bytes = [
    ...(type === 0 ? [] : [dhcpOption.messageType, 1, type]),
    ...options.flatMap(([code, value]) => [code, value.length, ...value]),
    dhcpOption.end,
  ];
  message.set(bytes, dhcp.options);
  return udpFrame({ source: clientAddress, port: 68, remote: 0xffff_ffff, remotePort: 67 }, message);
}

function ask(bench: Bench, question: DhcpQuestion) {
  bench.guest.send(dhcpFrame(question));
  const [answer, ...more] = datagrams(bench);
  assert.deepEqual(more, []);
  if (answer === undefined) return undefined;
  const options = new Map<number, number[]>();
  for (let at = dhcp.options; answer.payload[at] !== dhcpOption.end; ) {
    const length = answer.payload[at + 1] as number;
    options.set(answer.payload[at] as number, [...answer.payload.subarray(at + 2, at + 2 + length)]);
    at += 2 + length;
  }
  return {
    ...answer,
    type: options.get(dhcpOption.messageType)?.[0],
    address: formatIpv4(read32(answer.payload, dhcp.yourAddress)),
    options,
  };
}

const addressBytes = (text: string): number[] => text.split('.').map(Number);
const mac = (last: number): Uint8Array => Uint8Array.of(0x52, 0x54, 0, 0, 0, last);

test('ARP: the gateway and the name server are here, others are not', () => {
  const { guest } = natBench();
  const sender = { mac: guestMac, address: guestAddress };
  for (const address of [gateway, nameServer]) {
    guest.send(arpRequest(sender, address));
    const [frame] = guest.take() as [Uint8Array];
    const reply = readArpPacket(frame, 14);
    assert.deepEqual(reply?.senderMac, gatewayMac);
    assert.equal(reply.senderAddress, address);
  }
  guest.send(arpRequest(sender, ipv4Address(10, 0, 2, 99)));
  guest.send(arpRequest(sender, ipv4Address(192, 0, 2, 1)));
  assert.deepEqual(guest.take(), []);
});

test('DHCP: discover, offer, request, acknowledgment, with all that a guest needs', () => {
  const bench = natBench({ hostName: 'box', searchDomains: ['example.org', 'lab.test'] });
  const offer = ask(bench, { type: dhcpMessage.discover });
  assert.equal(offer?.type, dhcpMessage.offer);
  assert.equal(offer.address, '10.0.2.15');
  assert.equal(offer.from, '10.0.2.2:67');
  assert.deepEqual(offer.mac, guestMac);
  const option = [dhcpOption.requestedAddress, addressBytes('10.0.2.15')] as const;
  const ack = ask(bench, { type: dhcpMessage.request, options: [option, [dhcpOption.serverId, [10, 0, 2, 2]]] });
  assert.equal(ack?.type, dhcpMessage.ack);
  const given = (code: number): number[] | undefined => ack.options.get(code);
  assert.deepEqual(given(dhcpOption.subnetMask), [255, 255, 255, 0]);
  assert.deepEqual(given(dhcpOption.router), [10, 0, 2, 2]);
  assert.deepEqual(given(dhcpOption.dnsServers), [10, 0, 2, 3]);
  assert.deepEqual(given(dhcpOption.leaseTime), [0, 1, 0x51, 0x80]);
  assert.deepEqual(given(dhcpOption.interfaceMtu), [5, 0xdc]);
  assert.equal(String.fromCharCode(...(given(dhcpOption.hostName) ?? [])), 'box');
  assert.equal(
    String.fromCharCode(...(given(dhcpOption.domainSearch) ?? [])),
    '\x07example\x03org\x00\x03lab\x04test\x00',
  );
});

test('DHCP: several guests have different addresses, and keep them', () => {
  const bench = natBench();
  const discover = (last: number): string | undefined =>
    ask(bench, { type: dhcpMessage.discover, mac: mac(last) })?.address;
  assert.deepEqual([discover(1), discover(2), discover(3)], ['10.0.2.15', '10.0.2.16', '10.0.2.17']);
  assert.equal(discover(2), '10.0.2.16');
  const renew = ask(bench, { type: dhcpMessage.request, mac: mac(2), clientAddress: ipv4Address(10, 0, 2, 16) });
  assert.equal(renew?.type, dhcpMessage.ack);
  assert.equal(renew.to, '10.0.2.16:68');
  const stolen = ask(bench, {
    type: dhcpMessage.request,
    mac: mac(9),
    options: [[dhcpOption.requestedAddress, addressBytes('10.0.2.16')]],
  });
  assert.equal(stolen?.type, dhcpMessage.nak);
  assert.equal(stolen.to, '255.255.255.255:68');
});

test('DHCP: what cannot be had is refused, what was released is free, what was declined is not given', () => {
  const bench = natBench();
  const request = (address: string, last: number): number | undefined =>
    ask(bench, {
      type: dhcpMessage.request,
      mac: mac(last),
      options: [[dhcpOption.requestedAddress, addressBytes(address)]],
    })?.type;
  for (const address of ['192.168.1.5', '10.0.2.2', '10.0.2.3', '10.0.2.0', '10.0.2.255', '10.0.2.4']) {
    assert.equal(request(address, 1), dhcpMessage.nak, address);
  }
  assert.equal(request('10.0.2.40', 1), dhcpMessage.ack, 'a free address that the guest remembers');
  ask(bench, { type: dhcpMessage.release, mac: mac(1), clientAddress: ipv4Address(10, 0, 2, 40) });
  assert.equal(request('10.0.2.40', 2), dhcpMessage.ack);
  ask(bench, {
    type: dhcpMessage.decline,
    mac: mac(2),
    options: [[dhcpOption.requestedAddress, addressBytes('10.0.2.40')]],
  });
  assert.equal(request('10.0.2.40', 2), dhcpMessage.nak);
  const inform = ask(bench, { type: dhcpMessage.inform, mac: mac(3), clientAddress: ipv4Address(10, 0, 2, 50) });
  assert.equal(inform?.type, dhcpMessage.ack);
  assert.equal(inform.address, '0.0.0.0');
});

test('DHCP: an offer for another server is none of ours; BOOTP is answered; broadcast on request', () => {
  const bench = natBench();
  const other = ask(bench, {
    type: dhcpMessage.request,
    options: [
      [dhcpOption.serverId, [10, 0, 2, 77]],
      [dhcpOption.requestedAddress, addressBytes('10.0.2.15')],
    ],
  });
  assert.equal(other, undefined);
  const bootp = ask(bench, { type: 0 });
  assert.equal(bootp?.address, '10.0.2.15');
  assert.equal(bootp.type, undefined);
  const loud = ask(bench, { type: dhcpMessage.discover, flags: 0x8000 });
  assert.equal(loud?.to, '255.255.255.255:68');
  assert.deepEqual(loud.mac, new Uint8Array(6).fill(0xff));
});

test('DHCP: when all addresses are given there is silence, and after a while the oldest is given again', () => {
  const bench = natBench();
  const discover = (n: number): string | undefined =>
    ask(bench, { type: dhcpMessage.discover, mac: Uint8Array.of(2, 0, 0, 0, n >> 8, n & 0xff) })?.address;
  const given = new Set(Array.from({ length: 300 }, (_, n) => discover(n)));
  assert.equal(given.size, 241, '.15 to .254, and silence');
  assert.ok(given.has(undefined));
  bench.clock.advance(61_000);
  assert.equal(discover(1000), '10.0.2.15');
});

function echo(bench: Bench, destination: number, payloadBytes = 56) {
  const frame = ipv4Frame({ destination, protocol: ipProtocol.icmp }, 8 + payloadBytes, (bytes, at) => {
    bytes[at] = icmpType.echoRequest;
    write32(bytes, at + 4, 0x0102_0003);
    bytes.fill(0x5a, at + 8);
    write16(bytes, at + 2, checksum(bytes, at, at + 8 + payloadBytes));
  });
  bench.guest.send(frame);
  return bench.guest.takePackets();
}

test('echoes: the gateway and the name server answer; for others the guest hears that it cannot be', () => {
  const bench = natBench();
  for (const address of [gateway, nameServer]) {
    const [reply] = echo(bench, address);
    assert.ok(reply);
    assert.equal(reply.packet.source, address);
    const { frame, packet } = reply;
    assert.deepEqual([...frame.subarray(packet.payloadStart, packet.payloadStart + 2)], [0, 0]);
    assert.equal(read32(frame, packet.payloadStart + 4), 0x0102_0003);
    assert.equal(checksum(frame, packet.payloadStart, packet.payloadEnd), 0);
    assert.equal(packet.payloadEnd - packet.payloadStart, 64);
  }
  const [refused] = echo(bench, remote);
  assert.ok(refused);
  assert.deepEqual([...refused.frame.subarray(34, 36)], [icmpType.unreachable, 13]);
});

test('a large echo comes back in fragments', () => {
  const bench = natBench();
  const pieces = echo(bench, gateway, 3000);
  assert.deepEqual(
    pieces.map(({ packet }) => [packet.fragment, packet.payloadEnd - packet.payloadStart]),
    [
      [0x2000, 1480],
      [0x2000 | 185, 1480],
      [370, 48],
    ],
  );
});

test('fragments of a guest are put together, whatever their order; contradictions are dropped', () => {
  const bench = natBench();
  const payload = Uint8Array.from({ length: 4000 }, (_, i) => (i * 3) & 0xff);
  const whole = udpFrame(ends, payload).subarray(34);
  const piece = (from: number, to: number, more: boolean): void => {
    const fragment = (more ? 0x2000 : 0) | (from / 8);
    bench.guest.send(
      ipv4Frame({ destination: remote, protocol: ipProtocol.udp, fragment }, to - from, (frame, at) =>
        frame.set(whole.subarray(from, to), at),
      ),
    );
  };
  piece(2960, whole.length, false);
  piece(0, 1480, true);
  piece(0, 1480, true);
  assert.equal(bench.host.sockets.length, 0);
  piece(1480, 2960, true);
  assert.deepEqual(bench.host.sockets[0]?.sent[0]?.bytes, [...payload]);
  piece(0, 1480, true);
  piece(1472, 2960, true);
  piece(2960, whole.length, false);
  piece(1480, 2960, true);
  assert.equal(bench.host.sockets[0]?.sent.length, 1, 'overlapping fragments are no packet (RFC 5722)');
});

test('datagrams go out from one socket for each port of a guest, and answers come back', () => {
  const bench = natBench();
  bench.guest.send(udpFrame(ends, [1, 2]));
  bench.guest.send(udpFrame({ ...ends, remote: remote + 1 }, [3]));
  bench.guest.send(udpFrame({ ...ends, port: 40_001 }, [4]));
  const [first, second] = bench.host.sockets;
  assert.deepEqual(first?.sent, [
    { bytes: [1, 2], address: '198.51.100.7', port: 80 },
    { bytes: [3], address: '198.51.100.8', port: 80 },
  ]);
  assert.deepEqual(second?.sent, [{ bytes: [4], address: '198.51.100.7', port: 80 }]);
  first.events.received(Uint8Array.of(9), { address: '198.51.100.8', port: 80 });
  first.events.received(Uint8Array.of(8), { address: '198.51.100.8', port: 81 });
  first.events.received(Uint8Array.of(8), { address: '203.0.113.1', port: 80 });
  assert.deepEqual(
    datagrams(bench).map(({ from, to, payload }) => [from, to, ...payload]),
    [['198.51.100.8:80', '10.0.2.15:40000', 9]],
    'only from where the guest has sent to',
  );
});

test('sockets that nobody uses are closed, and there are only so many', () => {
  const bench = natBench();
  bench.guest.send(udpFrame(ends, [1]));
  bench.clock.advance(100_000);
  assert.equal(bench.host.sockets[0]?.closed, false);
  bench.clock.advance(40_000);
  assert.equal(bench.host.sockets[0]?.closed, true);
  for (let port = 1; port <= 1000; port++) bench.guest.send(udpFrame({ ...ends, port }, [1]));
  assert.equal(bench.host.sockets.filter(({ closed }) => !closed).length, 512);
  bench.host.sockets.at(-1)?.events.failed();
  bench.guest.send(udpFrame({ ...ends, port: 1000 }, [1]));
  assert.equal(bench.host.sockets.at(-1)?.sent.length, 1, 'a socket that broke is replaced');
});

test('a large answer is cut into fragments', () => {
  const bench = natBench();
  bench.guest.send(udpFrame(ends, [1]));
  bench.host.sockets[0]?.events.received(new Uint8Array(2000), { address: '198.51.100.7', port: 80 });
  assert.deepEqual(
    bench.guest.takePackets().map(({ packet }) => packet.fragment),
    [0x2000, 185],
  );
});

test('a forwarded UDP port', async () => {
  const bench = natBench();
  const forward = { hostAddress: '127.0.0.1', hostPort: 5353, guestAddress: undefined, guestPort: 53 } as const;
  await bench.nat.forward({ protocol: 'udp', ...forward });
  const [socket] = bench.host.sockets;
  socket?.events.received(Uint8Array.of(7), { address: '127.0.0.1', port: 6000 });
  await bench.settle();
  const [question] = datagrams(bench);
  assert.equal(question?.from, '10.0.2.2:6000');
  assert.equal(question.to, '10.0.2.15:53');
  bench.guest.send(udpFrame({ port: 53, remote: gateway, remotePort: 6000 }, [8]));
  assert.deepEqual(socket?.sent, [{ bytes: [8], address: '127.0.0.1', port: 6000 }]);
  bench.guest.send(udpFrame({ port: 53, remote, remotePort: 6000 }, [8]));
  assert.equal(bench.host.sockets.length, 2, 'to others it goes its own way');
});

test('names are asked of the host', () => {
  const bench = natBench();
  const query = Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1);
  bench.guest.send(udpFrame({ port: 3333, remote: nameServer, remotePort: 53 }, query));
  assert.deepEqual(bench.host.queries[0]?.query, query);
  bench.host.queries[0]?.reply(Uint8Array.of(0x12, 0x34, 0x81, 0x80));
  const [answer] = datagrams(bench);
  assert.equal(answer?.from, '10.0.2.3:53');
  assert.equal(answer.to, '10.0.2.15:3333');
  bench.guest.send(udpFrame({ port: 3333, remote: nameServer, remotePort: 53 }, [1, 2, 3]));
  bench.guest.send(udpFrame({ port: 3333, remote: nameServer, remotePort: 54 }, query));
  assert.equal(bench.host.queries.length, 1);
  assert.deepEqual([...(bench.guest.takePackets()[0]?.frame.subarray(34, 36) ?? [])], [3, 3]);
});

test('a restricted guest gets an address and an echo, and nothing else', () => {
  const bench = natBench({ restricted: true });
  assert.equal(ask(bench, { type: dhcpMessage.discover })?.options.has(dhcpOption.router), false);
  assert.equal(echo(bench, gateway).length, 1);
  bench.guest.send(udpFrame(ends, [1]));
  bench.guest.sendTcp(ends, { flags: 'S' });
  bench.guest.send(udpFrame({ port: 3333, remote: nameServer, remotePort: 53 }, new Uint8Array(20)));
  assert.deepEqual([bench.host.streams, bench.host.sockets, bench.host.queries], [[], [], []]);
});

test('packets at the end of their life, of unknown protocols, and of strangers', () => {
  const bench = natBench();
  const types = (): number[][] => bench.guest.takePackets().map(({ frame }) => [...frame.subarray(34, 36)]);
  const frame = (protocol: number, timeToLive: number, source = guestAddress): Uint8Array =>
    ipv4Frame({ destination: remote, protocol, timeToLive, source }, 20, (bytes, at) => bytes.fill(0, at));
  bench.guest.send(frame(ipProtocol.icmp, 1));
  assert.deepEqual(types(), [[icmpType.timeExceeded, 0]]);
  bench.guest.send(frame(132, 64));
  assert.deepEqual(types(), [[icmpType.unreachable, 2]]);
  bench.guest.send(frame(132, 64, ipv4Address(192, 168, 7, 7)));
  bench.guest.send(frame(132, 64, gateway));
  assert.deepEqual(types(), []);
});

test('errors are told only so often', () => {
  const bench = natBench();
  for (let i = 0; i < 500; i++) bench.guest.send(udpFrame({ ...ends, remote: ipv4Address(127, 0, 0, 1) }, [1]));
  const told = bench.guest.takePackets().length;
  assert.ok(told >= 50 && told <= 52, String(told));
  bench.clock.advance(1000);
  bench.guest.send(udpFrame({ ...ends, remote: ipv4Address(127, 0, 0, 1) }, [1]));
  assert.equal(bench.guest.takePackets().length, 1);
});

test('wrong checksums, other stations and IPv6 are dropped without a word', () => {
  const bench = natBench();
  const wrong = udpFrame(ends, [1, 2, 3]);
  wrong[43] = 0xee;
  bench.guest.send(wrong);
  const header = udpFrame(ends, [1]);
  header[24] = 0;
  header[25] = 0;
  bench.guest.send(header);
  const other = udpFrame(ends, [1]);
  other[5] = 9;
  bench.guest.send(other);
  const six = new Uint8Array(80);
  six.set(gatewayMac);
  six.set([0x86, 0xdd], 12);
  bench.guest.send(six);
  assert.equal(bench.host.sockets.length, 0);
  assert.deepEqual(bench.guest.take(), []);
});

test('a UDP datagram without a checksum is a datagram', () => {
  const bench = natBench();
  const frame = udpFrame(ends, [1, 2, 3]);
  write16(frame, 40, 0);
  bench.guest.send(frame);
  assert.deepEqual(bench.host.sockets[0]?.sent[0]?.bytes, [1, 2, 3]);
});
