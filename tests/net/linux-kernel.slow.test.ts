/**
 * Linux' own TCP and UDP against the NAT: a network namespace gets a TAP device as its only interface, and the NAT is on the
 * other end of the cable. Through a good cable with segmentation offload, and through one that loses and swaps.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createHostNetwork } from '../../src/host/node/net/host-sockets.ts';
import { nodeNetClock } from '../../src/host/node/net/net-clock.ts';
import { Resolver } from '../../src/host/node/net/resolver.ts';
import { TapDevice } from '../../src/host/node/net/tap-device.ts';
import { Nat } from '../../src/net/nat/nat.ts';
import { defaultSubnet } from '../../src/net/nat/nat-config.ts';
import { connectLossily, type Faults } from './lossy-cable.ts';
import { md5, pattern } from './tap-client.ts';

const client = fileURLToPath(new URL('./tap-client.ts', import.meta.url));
const namespace = `corbel-${process.pid}`;
const device = `cbl${process.pid}`.slice(0, 15);
const perfect: Faults = { lost: 0, doubled: 0, delayed: 0, delayMs: 0 };
const bad: Faults = { lost: 0.02, doubled: 0.01, delayed: 0.03, delayMs: 4 };

function ip(...args: readonly string[]): boolean {
  return spawnSync('ip', args, { stdio: 'ignore' }).status === 0;
}

function reasonToSkip(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need root on Linux';
  if (!existsSync('/dev/net/tun')) return 'this host has no /dev/net/tun';
  if (spawnSync('ip', ['-V']).error !== undefined) return 'iproute2 is not installed';
  if (!ip('netns', 'add', namespace)) return 'network namespaces cannot be made here';
  ip('netns', 'del', namespace);
  return false;
}

/** A server of the host that sends back what it gets, after it has all come. */
async function echoServer(): Promise<{ server: Server; port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const chunks: Buffer[] = [];
    socket.on('error', () => {});
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on('end', () => {
      const all = Buffer.concat(chunks);
      seen.push(md5(all));
      socket.end(all);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, seen };
}

function inNamespace(...args: readonly string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', namespace, process.execPath, client, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  return output;
}

async function withLinux(faults: Faults, run: (nat: Nat) => Promise<void>): Promise<void> {
  const tap = await TapDevice.open(device);
  assert.ok(tap.ok, tap.ok ? '' : tap.error.message);
  const config = {
    subnet: defaultSubnet,
    hostName: undefined,
    searchDomains: [],
    allowLoopback: true,
    allowLinkLocal: false,
    restricted: false,
    mtuBytes: 1500,
  };
  const nat = new Nat(config, createHostNetwork(new Resolver()), nodeNetClock);
  if (faults === perfect) {
    tap.value.connect(nat);
    nat.connect(tap.value);
  } else connectLossily(tap.value, nat, faults);
  try {
    assert.ok(ip('netns', 'add', namespace));
    assert.ok(ip('link', 'set', device, 'netns', namespace));
    for (const command of [
      ['link', 'set', 'lo', 'up'],
      ['link', 'set', device, 'up'],
      ['addr', 'add', '10.0.2.15/24', 'dev', device],
      ['route', 'add', 'default', 'via', '10.0.2.2'],
    ]) {
      assert.ok(ip('-n', namespace, ...command), command.join(' '));
    }
    await run(nat);
  } finally {
    nat.close();
    tap.value.close();
    ip('netns', 'del', namespace);
  }
}

const skip = reasonToSkip();

for (const [name, faults, bytes] of [
  ['a good cable', perfect, 64 << 20],
  ['a cable that loses, doubles and swaps', bad, 4 << 20],
] as const) {
  test(`bytes of Linux' TCP there and back through ${name}`, { skip, timeout: 300_000 }, async () => {
    await withLinux(faults, async () => {
      const { server, port, seen } = await echoServer();
      const outcome = await outputOf(inNamespace('exchange', '10.0.2.2', String(port), String(bytes)));
      assert.deepEqual(JSON.parse(outcome), { md5: md5(pattern(bytes)), bytes });
      assert.deepEqual(seen, [md5(pattern(bytes))]);
      server.close();
    });
  });

  test(`a forwarded port leads to a server of Linux through ${name}`, { skip, timeout: 300_000 }, async () => {
    await withLinux(faults, async (nat) => {
      const probe = await echoServer();
      probe.server.close();
      await once(probe.server, 'close');
      const forwarded = await nat.forward({
        protocol: 'tcp',
        hostAddress: '127.0.0.1',
        hostPort: probe.port,
        guestAddress: undefined,
        guestPort: 7777,
      });
      assert.ok(forwarded.ok);
      const child = inNamespace('serve', '', '7777');
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      const ended = once(child, 'close');
      const socket = connect({ port: probe.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(pattern(bytes));
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      assert.equal(md5(Buffer.concat(chunks)), md5(pattern(bytes)));
      await ended;
    });
  });
}

test('datagrams of Linux, also those that come in fragments, and a forwarded port', {
  skip,
  timeout: 60_000,
}, async () => {
  const bytes = 20_000;
  const whole = { md5: md5(pattern(bytes)), bytes };
  await withLinux(perfect, async (nat) => {
    const server = createSocket('udp4');
    server.on('message', (message, peer) => server.send(message, peer.port, peer.address));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const outcome = await outputOf(inNamespace('datagram', '10.0.2.2', String(port), String(bytes)));
    assert.deepEqual(JSON.parse(outcome), whole);
    server.close();
    await once(server, 'close');
    const to = { hostAddress: '127.0.0.1', hostPort: port, guestAddress: undefined, guestPort: 7777 };
    assert.ok((await nat.forward({ protocol: 'udp', ...to })).ok);
    const child = inNamespace('serve-datagram', '', '7777');
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    const client = createSocket('udp4');
    client.send(pattern(bytes), port, '127.0.0.1');
    const [message] = (await once(client, 'message')) as [Buffer];
    client.close();
    assert.deepEqual({ md5: md5(message), bytes: message.length }, whole);
  });
});

test('Linux hears why a connection cannot be', { skip, timeout: 60_000 }, async () => {
  await withLinux(perfect, async () => {
    const { server, port } = await echoServer();
    server.close();
    await once(server, 'close');
    const errors = async (host: string, at: number): Promise<string | undefined> =>
      (JSON.parse(await outputOf(inNamespace('exchange', host, String(at), '1'))) as { error?: string }).error;
    assert.equal(await errors('10.0.2.2', port), 'ECONNREFUSED');
    assert.equal(await errors('169.254.169.254', 80), 'EHOSTUNREACH');
    assert.equal(await errors('10.0.2.99', 80), 'EHOSTUNREACH', 'nobody answers ARP');
  });
});
