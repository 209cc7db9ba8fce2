/** The NAT's sockets, against servers and clients of Node. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { HostPeer, HostStream, StreamEvents } from '../../../net/nat/host-network.ts';
import { createHostNetwork } from './host-sockets.ts';
import { Resolver } from './resolver.ts';

const host = createHostNetwork(new Resolver('/nonexistent'));
const servers: { close(): unknown }[] = [];
after(() => {
  for (const server of servers) server.close();
});

class Recorder implements StreamEvents {
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];
  paused = false;
  #changed = Promise.withResolvers<void>();

  connected(): void {
    this.#note('connected');
  }

  failed(failure: string): void {
    this.#note(`failed ${failure}`);
  }

  data(bytes: Uint8Array): boolean {
    this.chunks.push(Buffer.from(bytes));
    this.#note('data');
    return !this.paused;
  }

  ended(): void {
    this.#note('ended');
  }

  lost(): void {
    this.#note('lost');
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  #note(event: string): void {
    if (event !== 'data' || this.events.at(-1) !== 'data') this.events.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  has(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }
}

async function listen(accept: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    accept(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function write(stream: HostStream, bytes: Uint8Array): Promise<void> {
  return new Promise((done) => stream.write(bytes, done));
}

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('bytes both ways, each side closing for itself', async () => {
  const port = await listen((socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on('end', () => {
      socket.end(Buffer.concat([Buffer.from('got '), ...chunks]));
    });
  });
  const events = new Recorder();
  const stream = host.connectTcp('127.0.0.1', port, events);
  await events.has('connected');
  await write(stream, Buffer.from('one '));
  await write(stream, Buffer.from('two'));
  stream.end();
  await events.has('lost');
  assert.equal(Buffer.concat(events.chunks).toString(), 'got one two');
  assert.deepEqual(events.events, ['connected', 'data', 'ended', 'lost']);
});

test('who does not want more gets no more until it says so', async () => {
  const size = 4 << 20;
  const content = Buffer.alloc(size, 'abcdefghijklmnop');
  const port = await listen((socket) => socket.end(content));
  const events = new Recorder();
  events.paused = true;
  const stream = host.connectTcp('127.0.0.1', port, events);
  await events.has('data');
  const before = events.bytes;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(events.bytes, before);
  events.paused = false;
  stream.resume();
  await events.has('ended');
  assert.ok(Buffer.concat(events.chunks).equals(content));
  stream.reset();
});

test('nobody listens; no such network', async () => {
  const refused = new Recorder();
  host.connectTcp('127.0.0.1', await freePort(), refused);
  await refused.has('failed refused');
  const unreachable = new Recorder();
  host.connectTcp('255.255.255.255', 9, unreachable);
  await unreachable.has('failed unreachable');
  assert.deepEqual([refused.events.length, unreachable.events.length], [1, 1]);
});

test('a reset arrives as a loss, and goes out as a reset', async () => {
  const sockets: Socket[] = [];
  const seen: string[] = [];
  const port = await listen((socket) => {
    sockets.push(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? ''));
  });
  const first = new Recorder();
  host.connectTcp('127.0.0.1', port, first);
  await first.has('connected');
  while (sockets.length < 1) await new Promise((resolve) => setImmediate(resolve));
  sockets[0]?.resetAndDestroy();
  await first.has('lost');
  const second = new Recorder();
  const stream = host.connectTcp('127.0.0.1', port, second);
  await second.has('connected');
  stream.reset();
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, ['ECONNRESET']);
  assert.deepEqual(second.events, ['connected'], 'who resets is told nothing more');
});

test('a socket that was ended can still be reset, and is gone then', async () => {
  const closed = Promise.withResolvers<void>();
  const port = await listen((socket) => {
    socket.resume();
    socket.on('end', () => socket.end());
    socket.on('close', () => closed.resolve());
  });
  const events = new Recorder();
  const stream = host.connectTcp('127.0.0.1', port, events);
  await events.has('connected');
  stream.end();
  stream.reset();
  await closed.promise;
  assert.deepEqual(events.events, ['connected']);
});

test('a forwarded port: who comes, what it says, and what is refused', async () => {
  const port = await freePort();
  const peers: HostPeer[] = [];
  const streams: HostStream[] = [];
  const events = new Recorder();
  const listener = await host.listenTcp('127.0.0.1', port, (stream, peer) => {
    peers.push(peer);
    streams.push(stream);
    return peers.length === 1 ? events : undefined;
  });
  assert.ok(listener.ok);
  const client = connect(port, '127.0.0.1');
  client.write('hello');
  await events.has('data');
  assert.equal(peers[0]?.address, '127.0.0.1');
  assert.equal(peers[0]?.port, client.localPort);
  await write(streams[0] as HostStream, Buffer.from('welcome'));
  const [answer] = (await once(client, 'data')) as [Buffer];
  assert.equal(answer.toString(), 'welcome');
  const refused = connect(port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
  const again = await host.listenTcp('127.0.0.1', port, () => undefined);
  assert.ok(!again.ok);
  assert.equal(again.error.message, `TCP port 127.0.0.1:${port} cannot be opened (another process has it).`);
  client.destroy();
  listener.value.close();
  const foreign = await host.listenTcp('192.0.2.1', port, () => undefined);
  assert.match(foreign.ok ? '' : foreign.error.message, /this host does not have that address/);
});

test('datagrams', async () => {
  const server = createSocket('udp4');
  servers.push(server);
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('message', (bytes, peer) => server.send(Buffer.concat([bytes, bytes]), peer.port, peer.address));
  const received = Promise.withResolvers<string>();
  const socket = host.openUdp({
    received: (bytes) => received.resolve(Buffer.from(bytes).toString()),
    failed: () => {},
  });
  const bytes = Buffer.from('ping');
  socket.send(bytes, '127.0.0.1', server.address().port);
  bytes.fill(0);
  assert.equal(await received.promise, 'pingping', 'what was sent is a copy');
  socket.send(Buffer.alloc(65_536), '127.0.0.1', 9);
  socket.close();
  socket.close();
  socket.send(bytes, '127.0.0.1', 9);
  const port = server.address().port;
  const taken = await host.bindUdp('127.0.0.1', port, { received: () => {}, failed: () => {} });
  assert.match(taken.ok ? '' : taken.error.message, /UDP port 127.0.0.1:\d+ cannot be opened \(EADDRINUSE\)/);
});
