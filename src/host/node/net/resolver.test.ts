import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { read16, read32, write16 } from '../../../net/frame/bytes.ts';
import { encodeDnsName } from '../../../net/frame/dns-message.ts';
import { parseResolvConf, Resolver } from './resolver.ts';

const folder = await mkdtemp(join(tmpdir(), 'corbel-resolver-'));
const sockets: Socket[] = [];
after(async () => {
  for (const socket of sockets) socket.close();
  await rm(folder, { recursive: true });
});

function question(name: string, type: number): Uint8Array {
  const encoded = encodeDnsName(name) as Uint8Array;
  const message = new Uint8Array(12 + encoded.length + 4);
  write16(message, 0, 0x1234);
  write16(message, 2, 0x0100);
  write16(message, 4, 1);
  message.set(encoded, 12);
  write16(message, 12 + encoded.length, type);
  write16(message, 14 + encoded.length, 1);
  return message;
}

async function server(address: string, port: number, answer: (query: Buffer) => Uint8Array[]): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (query, peer) => {
    for (const message of answer(query)) socket.send(message, peer.port, peer.address);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket.address().port;
}

const ask = (resolver: Resolver, query: Uint8Array): Promise<Uint8Array> =>
  new Promise((reply) => void resolver.resolve(query, reply));

async function resolverFor(servers: readonly string[], port: number): Promise<Resolver> {
  const file = join(folder, `resolv-${servers.length}-${port}`);
  await writeFile(file, servers.map((address) => `nameserver ${address}\n`).join(''));
  return new Resolver(file, port);
}

test('resolv.conf', () => {
  const text = `# comment
nameserver 192.0.2.1
nameserver fe80::1%eth0
nameserver example.org
 nameserver\t2001:db8::1
domain old.example
search example.org lab.test .
options ndots:2`;
  assert.deepEqual(parseResolvConf(text), {
    servers: ['192.0.2.1', 'fe80::1%eth0', '2001:db8::1'],
    searchDomains: ['example.org', 'lab.test'],
  });
  assert.deepEqual(parseResolvConf(''), { servers: [], searchDomains: [] });
});

test('a server is asked with a number of our own, and its answer gets back that of the guest', async () => {
  const ids: number[] = [];
  const port = await server('127.0.0.1', 0, (query) => {
    ids.push(read16(query, 0));
    const wrong = Uint8Array.from(query);
    write16(wrong, 0, read16(query, 0) ^ 1);
    const answer = Uint8Array.from(query);
    write16(answer, 2, 0x8180);
    return [Uint8Array.of(1), wrong, answer];
  });
  const resolver = await resolverFor(['127.0.0.1'], port);
  for (let i = 0; i < 5; i++) {
    const answer = await ask(resolver, question('example.org', 1));
    assert.deepEqual([read16(answer, 0), read16(answer, 2)], [0x1234, 0x8180]);
  }
  assert.ok(new Set(ids).size > 1);
  assert.equal(resolver.server, '127.0.0.1');
});

test('the next server is asked when one does not listen', async () => {
  const port = await server('127.0.0.2', 0, (query) => [query]);
  const resolver = await resolverFor(['127.0.0.3', '127.0.0.2'], port);
  assert.equal(read16(await ask(resolver, question('example.org', 1)), 0), 0x1234);
});

test('without servers the host itself is asked, and says so when it cannot know', async () => {
  const file = join(folder, 'empty');
  await writeFile(file, '# nobody\n');
  const resolver = new Resolver(file);
  const known = await ask(resolver, question('localhost', 1));
  assert.deepEqual([read16(known, 2), read16(known, 6)], [0x8180, 1]);
  assert.equal(read32(known, known.length - 4), 0x7f00_0001);
  const unknown = await ask(resolver, question('no-such-name.invalid', 1));
  assert.ok([2, 3].includes(read16(unknown, 2) & 0xf));
  assert.equal(read16(await ask(resolver, question('localhost', 15)), 2) & 0xf, 4);
  assert.equal(read16(await ask(resolver, question('1.0.0.x.in-addr.arpa', 12)), 2) & 0xf, 3);
  const malformed = question('localhost', 1).subarray(0, 20);
  assert.equal(read16(await ask(resolver, malformed), 2) & 0xf, 2);
  assert.equal(resolver.server, undefined);
});
