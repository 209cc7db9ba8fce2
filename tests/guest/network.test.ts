/** The linux guest on the network: out through the NAT, in through a forwarded port, with what Linux itself brings. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startLinux } from './linux-process.ts';

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const bytes = randomBytes(2 << 20);

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Gives the bytes, and takes others: the answer to a POST is their MD5. */
function fileServer(): Server {
  return createHttpServer((request, response) => {
    const hash = createHash('md5');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(request.method === 'POST' ? hash.digest('hex') : bytes));
  });
}

/** Connects as soon as the guest listens, sends the bytes, and takes what comes back. */
async function exchange(port: number): Promise<Buffer> {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.end(bytes);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    await new Promise((resolve) => socket.once('close', resolve));
    if (chunks.length > 0) return Buffer.concat(chunks);
    // Nobody listened yet.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('DHCP, downloads, uploads, and a server behind a forwarded port', { timeout: 180_000 }, async () => {
  const server = fileServer();
  const outside = await listen(server);
  const probe = createServer();
  const inside = await listen(probe);
  probe.close();
  await once(probe, 'close');
  const script = `
ip -4 addr show eth0 | grep -o 'inet [0-9./]*'
ip route | grep -o 'default via [0-9.]*'
cat /etc/resolv.conf
hostname
ping -c 1 -q 10.0.2.2 | grep -o '[0-9]* packets received'
ping -c 1 -q 192.0.2.1 | grep -o '[0-9]* packets received'
wget -q -O /tmp/file http://10.0.2.2:${outside}/ && md5sum </tmp/file
(printf 'POST / HTTP/1.0\\r\\nContent-Length: ${bytes.length}\\r\\n\\r\\n'; cat /tmp/file) | nc 10.0.2.2 ${outside} | tail -n 1; echo
nc -l -p 7 -e cat
wget -q -O - http://10.0.2.2:9/ 2>&1`;
  const net = `user,loopback=on,hostname=box,hostfwd=tcp::${inside}-:7`;
  const folder = await mkdtemp(join(tmpdir(), 'corbel-network-'));
  const pcap = join(folder, 'all.pcap');
  const linux = startLinux(['--net', net, '--pcap', pcap, '--exec', script]);
  const echoed = await exchange(inside);
  const { stdout, stderr, status } = await linux.ended;
  server.close();
  assert.equal(stderr, '');
  const found = stdout.toString().split('\n');
  assert.deepEqual(found.slice(0, 2), ['inet 10.0.2.15/24', 'default via 10.0.2.2']);
  assert.ok(found.includes('nameserver 10.0.2.3'));
  const rest = found.slice(found.indexOf('box'));
  assert.deepEqual(rest, [
    'box',
    '1 packets received',
    '0 packets received',
    `${md5(bytes)}  -`,
    md5(bytes),
    "wget: can't connect to remote host (10.0.2.2): Connection refused",
    '',
  ]);
  assert.equal(status, 1);
  assert.equal(md5(echoed), md5(bytes), 'there and back through the forwarded port');
  const capture = await readFile(pcap);
  await rm(folder, { recursive: true });
  assert.equal(capture.readUInt32LE(0), 0xa1b23c4d);
  assert.ok(capture.length > 4 * bytes.length, 'all of it was recorded');
});
