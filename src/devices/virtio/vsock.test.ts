/** The socket device as a guest's driver sees it, with a host that a test plays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vsockOperation as operation, vsockHeader } from '../../spec/virtio/vsock.ts';
import type { DriverQueue } from './testing/driver-queue.ts';
import { TestMachine, turn } from './testing/test-machine.ts';
import { VirtioVsock, type VsockCall } from './vsock.ts';
import { connectionBufferBytes, type VsockPeer, type VsockStream } from './vsock-connection.ts';

const guestCid = 3;

class TestPeer implements VsockPeer {
  readonly events: string[] = [];
  readonly taken: (() => void)[] = [];
  received = '';

  opened(): void {
    this.events.push('opened');
  }

  receive(bytes: Uint8Array, taken: () => void): void {
    this.received += new TextDecoder().decode(bytes);
    this.taken.push(taken);
  }

  ended(): void {
    this.events.push('ended');
  }

  drained(): void {
    this.events.push('drained');
  }

  closed(reset: boolean): void {
    this.events.push(reset ? 'reset' : 'closed');
  }
}

interface Packet {
  readonly sourceCid?: number;
  readonly destinationCid?: number;
  readonly guestPort?: number;
  readonly hostPort?: number;
  readonly type?: number;
  readonly operation: number;
  readonly flags?: number;
  readonly bufferBytes?: number;
  readonly forwardedBytes?: number;
  readonly length?: number;
}

function encode(packet: Packet, payload = ''): Uint8Array {
  const bytes = new Uint8Array(vsockHeader.size + payload.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(packet.sourceCid ?? guestCid), true);
  view.setBigUint64(8, BigInt(packet.destinationCid ?? 2), true);
  view.setUint32(16, packet.guestPort ?? 1000, true);
  view.setUint32(20, packet.hostPort ?? 80, true);
  view.setUint32(24, packet.length ?? payload.length, true);
  view.setUint16(28, packet.type ?? 1, true);
  view.setUint16(30, packet.operation, true);
  view.setUint32(32, packet.flags ?? 0, true);
  view.setUint32(36, packet.bufferBytes ?? 65_536, true);
  view.setUint32(40, packet.forwardedBytes ?? 0, true);
  bytes.set(new TextEncoder().encode(payload), vsockHeader.size);
  return bytes;
}

class Driver {
  readonly machine: TestMachine;
  readonly device: VirtioVsock;
  readonly calls: { port: number; call: VsockCall }[] = [];
  #receive: DriverQueue | undefined;
  #transmit: DriverQueue | undefined;
  readonly #buffers = new Map<number, { address: number; length: number }>();

  constructor() {
    this.device = new VirtioVsock(guestCid, { called: (port, call) => void this.calls.push({ port, call }) });
    this.machine = new TestMachine(this.device);
  }

  async start(buffers = 8, length = 4096): Promise<void> {
    const [receive, transmit] = await this.machine.bringUp(0n, [64, 64, 64]);
    this.#receive = receive;
    this.#transmit = transmit;
    for (let n = 0; n < buffers; n++) this.giveBuffer(length);
  }

  giveBuffer(length = 4096): void {
    assert.ok(this.#receive);
    const { head, writable } = this.#receive.add([], [length]);
    this.#buffers.set(head, { address: writable[0] as number, length });
    this.#receive.ring();
  }

  async send(packet: Packet, payload = ''): Promise<void> {
    await this.sendRaw(encode(packet, payload));
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    assert.ok(this.#transmit);
    this.#transmit.add([bytes], []);
    this.#transmit.ring();
    await turn();
  }

  /** The next packet for the guest; its buffer is given back at once. */
  async next(giveBack = true): Promise<Packet & { payload: string }> {
    assert.ok(this.#receive);
    const { head, written } = await this.#receive.next();
    const buffer = this.#buffers.get(head);
    assert.ok(buffer && written >= vsockHeader.size);
    const bytes = this.machine.memory.read(buffer.address, written).slice();
    const view = new DataView(bytes.buffer);
    assert.equal(view.getBigUint64(0, true), 2n);
    assert.equal(view.getBigUint64(8, true), BigInt(guestCid));
    assert.equal(view.getUint16(28, true), 1);
    const length = view.getUint32(24, true);
    assert.equal(written, vsockHeader.size + length);
    if (giveBack) this.giveBuffer(buffer.length);
    return {
      hostPort: view.getUint32(16, true),
      guestPort: view.getUint32(20, true),
      operation: view.getUint16(30, true),
      flags: view.getUint32(32, true),
      bufferBytes: view.getUint32(36, true),
      forwardedBytes: view.getUint32(40, true),
      payload: new TextDecoder().decode(bytes.subarray(vsockHeader.size)),
    };
  }

  /** How many packets have come. */
  get received(): number | undefined {
    return this.#receive?.usedIndex;
  }

  /** Whether nothing more comes. */
  async isSilent(): Promise<boolean> {
    const before = this.received;
    for (let n = 0; n < 20; n++) await turn();
    return this.received === before;
  }

  /** A connection that the guest has asked for. */
  async connected(peer: TestPeer, packet: Partial<Packet> = {}): Promise<VsockStream> {
    await this.send({ operation: operation.request, ...packet });
    const stream = this.calls.at(-1)?.call.accept(peer);
    assert.equal((await this.next()).operation, operation.response);
    assert.ok(stream);
    return stream;
  }
}

test('the guest connects, both send, both close', async () => {
  const driver = new Driver();
  await driver.start();
  assert.deepEqual([...driver.device.description.config], [3, 0, 0, 0, 0, 0, 0, 0]);
  const peer = new TestPeer();
  const stream = await driver.connected(peer);
  assert.equal(driver.calls[0]?.port, 80);
  await driver.send({ operation: operation.data }, 'hello');
  assert.equal(peer.received, 'hello');
  stream.send(new TextEncoder().encode('world'));
  const reply = await driver.next();
  assert.deepEqual(
    [reply.operation, reply.payload, reply.guestPort, reply.hostPort],
    [operation.data, 'world', 1000, 80],
  );
  stream.end();
  const shutdown = await driver.next();
  assert.deepEqual([shutdown.operation, shutdown.flags], [operation.shutdown, 2]);
  await driver.send({ operation: operation.data }, 'more');
  await driver.send({ operation: operation.shutdown, flags: 3 });
  assert.equal((await driver.next()).operation, operation.reset);
  assert.equal(peer.received, 'hellomore');
  assert.deepEqual(peer.events, ['ended', 'closed']);
});

test('the host connects: accepted, refused, and without a driver', async () => {
  const driver = new Driver();
  assert.equal(driver.device.connect(22, new TestPeer()), undefined);
  await driver.start();
  const peer = new TestPeer();
  const stream = driver.device.connect(22, peer);
  assert.equal(driver.received, 0, 'nothing is sent before the host knows its stream');
  stream?.send(new TextEncoder().encode('early'));
  const request = await driver.next();
  assert.deepEqual([request.operation, request.guestPort, request.hostPort], [operation.request, 22, stream?.hostPort]);
  assert.ok(await driver.isSilent(), 'no data before the guest accepts');
  const ports = { guestPort: 22, hostPort: stream?.hostPort as number };
  await driver.send({ operation: operation.response, ...ports });
  assert.equal((await driver.next()).payload, 'early');
  const other = new TestPeer();
  const refused = driver.device.connect(22, other);
  await driver.next();
  await driver.send({ operation: operation.reset, guestPort: 22, hostPort: refused?.hostPort as number });
  assert.deepEqual([peer.events, other.events], [['opened'], ['reset']]);
});

test('buffers for receiving that wait are no work', async () => {
  const driver = new Driver();
  const isQuiet = async (): Promise<boolean> => {
    for (let n = 0; n < 10; n++) await turn();
    const { looks } = driver.machine;
    for (let n = 0; n < 20; n++) await turn();
    return driver.machine.looks === looks;
  };
  await driver.start();
  assert.ok(await isQuiet());
  const stream = await driver.connected(new TestPeer());
  stream.send(new TextEncoder().encode('all of it'));
  await driver.next();
  assert.ok(await isQuiet());
});

test('half-closed by the guest: the host goes on sending, then both are done', async () => {
  const driver = new Driver();
  await driver.start();
  const peer = new TestPeer();
  const stream = await driver.connected(peer);
  await driver.send({ operation: operation.shutdown, flags: 2 });
  assert.deepEqual(peer.events, ['ended']);
  stream.send(new TextEncoder().encode('answer'));
  stream.end();
  assert.equal((await driver.next()).payload, 'answer');
  const shutdown = await driver.next();
  assert.deepEqual([shutdown.operation, shutdown.flags], [operation.shutdown, 3]);
  await driver.send({ operation: operation.reset });
  assert.deepEqual(peer.events, ['ended', 'closed']);
  assert.ok(await driver.isSilent(), 'a reset is not answered');
});

test('credit: the host sends no more than the guest has room for, and asks', async () => {
  const driver = new Driver();
  await driver.start();
  const peer = new TestPeer();
  const stream = await driver.connected(peer, { bufferBytes: 10 });
  assert.equal(stream.send(new TextEncoder().encode('0123456789abcdefghij')), true);
  assert.equal((await driver.next()).payload, '0123456789');
  assert.equal((await driver.next()).operation, operation.creditRequest);
  assert.ok(await driver.isSilent());
  await driver.send({ operation: operation.creditUpdate, bufferBytes: 10, forwardedBytes: 4 });
  assert.equal((await driver.next()).payload, 'abcd');
  assert.equal((await driver.next()).operation, operation.creditRequest);
  await driver.send({ operation: operation.creditUpdate, bufferBytes: 10, forwardedBytes: 0xffff_ff00 });
  await driver.send({ operation: operation.creditUpdate, bufferBytes: 100, forwardedBytes: 14 });
  while ((await driver.next()).payload !== 'efghij');
  assert.equal(stream.send(new Uint8Array(connectionBufferBytes)), false, 'that is enough for now');
  for (let forwarded = 20; !peer.events.includes('drained'); ) {
    await driver.send({ operation: operation.creditUpdate, bufferBytes: 8000, forwardedBytes: forwarded });
    for (;;) {
      const packet = await driver.next();
      forwarded += packet.payload.length;
      if (packet.operation === operation.creditRequest) break;
    }
  }
});

test('credit: a guest hears of room as the host takes its bytes, and is cut off beyond it', async () => {
  const driver = new Driver();
  await driver.start();
  const peer = new TestPeer();
  await driver.connected(peer);
  const piece = 'x'.repeat(32_768);
  for (let n = 0; n < 4; n++) await driver.send({ operation: operation.data }, piece);
  assert.ok(await driver.isSilent());
  for (const forwarded of [32_768, 65_536]) {
    peer.taken.shift()?.();
    const update = await driver.next();
    assert.deepEqual(
      [update.operation, update.bufferBytes, update.forwardedBytes],
      [6, connectionBufferBytes, forwarded],
    );
  }
  await driver.send({ operation: operation.creditRequest });
  assert.equal((await driver.next()).forwardedBytes, 65_536);
  await driver.send({ operation: operation.data }, piece);
  await driver.send({ operation: operation.data }, piece);
  await driver.send({ operation: operation.data }, 'y');
  assert.equal((await driver.next()).operation, operation.reset);
  assert.deepEqual(peer.events, ['reset']);
});

test('a packet fills a small buffer, and connections take turns', async () => {
  const driver = new Driver();
  await driver.start(0);
  const streams: VsockStream[] = [];
  for (const guestPort of [1, 2]) {
    await driver.send({ operation: operation.request, guestPort });
    const stream = driver.calls.at(-1)?.call.accept(new TestPeer());
    assert.ok(stream);
    streams.push(stream);
  }
  for (const stream of streams) stream.send(new TextEncoder().encode('abcdefgh'));
  const seen: string[] = [];
  for (let n = 0; n < 6; n++) {
    driver.giveBuffer(vsockHeader.size + 4);
    const packet = await driver.next(false);
    seen.push(`${packet.guestPort}:${packet.operation}:${packet.payload}`);
  }
  assert.deepEqual(seen.slice(0, 2), ['1:2:', '2:2:']);
  assert.deepEqual(seen.slice(2), ['1:5:abcd', '2:5:abcd', '1:5:efgh', '2:5:efgh']);
});

test('packets for nobody are reset, those of others ignored', async () => {
  const driver = new Driver();
  await driver.start(32);
  for (const wrong of [operation.data, operation.response, operation.shutdown, operation.creditUpdate, 0, 99]) {
    await driver.send({ operation: wrong, guestPort: 5, hostPort: 6 });
    const reply = await driver.next();
    assert.deepEqual([reply.operation, reply.guestPort, reply.hostPort], [operation.reset, 5, 6]);
  }
  await driver.send({ operation: operation.request, type: 2 });
  assert.equal((await driver.next()).operation, operation.reset, 'only streams');
  await driver.send({ operation: operation.reset, guestPort: 5, hostPort: 6 });
  await driver.send({ operation: operation.request, sourceCid: 7 });
  await driver.send({ operation: operation.request, destinationCid: 1 });
  await driver.sendRaw(new Uint8Array(43));
  await driver.sendRaw(new Uint8Array(0).fill(0));
  assert.ok(await driver.isSilent());
  assert.deepEqual([driver.calls, driver.machine.reports], [[], []]);
});

test('what breaks a connection resets it', async () => {
  const breaks: [string, Packet][] = [
    ['a second request', { operation: operation.request }],
    ['a response nobody waits for', { operation: operation.response }],
    ['an unknown operation', { operation: 12 }],
    ['another type', { operation: operation.data, type: 2 }],
    ['more length than bytes', { operation: operation.data, length: 100 }],
  ];
  for (const [what, packet] of breaks) {
    const driver = new Driver();
    await driver.start();
    const peer = new TestPeer();
    await driver.connected(peer);
    await driver.send(packet);
    assert.equal((await driver.next()).operation, operation.reset, what);
    assert.deepEqual(peer.events, ['reset'], what);
    await driver.send({ operation: operation.request });
    assert.equal(driver.calls.length, 2, `${what}: the ports are free again`);
  }
  const driver = new Driver();
  await driver.start();
  const peer = new TestPeer();
  await driver.connected(peer);
  await driver.send({ operation: operation.shutdown, flags: 2 });
  await driver.send({ operation: operation.data }, 'after the end');
  assert.equal((await driver.next()).operation, operation.reset);
  assert.equal(peer.received, '');
});

test('there are only so many connections, and refusals wait for buffers without end', async () => {
  const driver = new Driver();
  await driver.start(0);
  for (let port = 1; port <= 256; port++) await driver.send({ operation: operation.request, guestPort: port });
  assert.equal(driver.calls.length, 256);
  assert.equal(driver.device.connect(1, new TestPeer()), undefined);
  for (let port = 0; port < 256; port++) await driver.send({ operation: operation.request, guestPort: 1000 + port });
  await driver.send({ operation: operation.reset, guestPort: 1, hostPort: 80 });
  assert.equal(driver.calls.length, 256);
  assert.ok(await driver.isSilent(), 'what the guest sends now waits in its queue');
  driver.giveBuffer();
  assert.equal((await driver.next(false)).guestPort, 1000);
  await turn();
  assert.notEqual(driver.device.connect(1, new TestPeer()), undefined, 'the reset was taken');
});

test('the driver goes: hosts hear of it; a buffer without room for a header stops the device', async () => {
  const driver = new Driver();
  await driver.start();
  const peer = new TestPeer();
  const stream = await driver.connected(peer);
  driver.machine.status = 0;
  await driver.machine.until(() => driver.machine.status === 0, 'the reset');
  assert.deepEqual(peer.events, ['reset']);
  assert.equal(stream.send(new Uint8Array(10)), true);
  stream.end();
  const small = new Driver();
  await small.start(1, 20);
  small.device.connect(1, new TestPeer());
  await turn();
  assert.match(small.machine.reports[0] ?? '', /a buffer of 20 bytes/);
});
