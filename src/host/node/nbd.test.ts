import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Disk } from '../../block/disk.ts';
import { assertReads, dataBytes, failureOf, unwrap } from '../../block/testing/reading.ts';
import { sparseContent } from '../../block/testing/workshop.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import { openNbd } from './nbd.ts';
import { serverFolder, startNbdkit, startQemuNbd, withoutNbdkit, withoutQemuNbd } from './testing/nbd-server.ts';

const mebibyte = 2 ** 20;

/** Random writes, zeroes and discards, many at once and none over another, done to the disk and to `content`. */
async function changeAtRandom(disk: Disk, content: Uint8Array, seed: number, unit: number): Promise<void> {
  const random = new Random(seed);
  const slots = 256;
  const slotBytes = content.length / slots;
  const changes = Array.from({ length: slots }, async (_, slot) => {
    const start = slot * slotBytes + random.below(slotBytes / 2 / unit) * unit;
    const length = (1 + random.below(slotBytes / 2 / unit - 1)) * unit;
    const range = content.subarray(start, start + length);
    switch (random.below(4)) {
      case 0:
        range.fill(0);
        return unwrap(await disk.writeZeroes(start, length, random.below(2) === 0));
      case 1:
        unwrap(await disk.discard(start, length));
        return unwrap(await disk.read(start, range));
      default:
        random.fill(range);
        return unwrap(await disk.write(start, range));
    }
  });
  await Promise.all(changes);
  unwrap(await disk.flush());
}

describe('qemu-nbd', { skip: withoutQemuNbd }, () => {
  test('reads, extents and changes of a raw image', async (t) => {
    const folder = serverFolder(t);
    const content = sparseContent(16 * mebibyte, 31).fill(0, 4 * mebibyte, 9 * mebibyte);
    writeFileSync(join(folder, 'disk.raw'), content);
    const server = await startQemuNbd(t, folder, '-x', 'my disk', '-f', 'raw', '--discard=unmap', 'disk.raw');
    const disk = unwrap(await openNbd(server.url('my%20disk')));
    assert.ok(!disk.readOnly);
    await assertReads(disk, content, 1);
    unwrap(await disk.writeZeroes(4 * mebibyte, 5 * mebibyte, true));
    assert.ok((await dataBytes(disk)) <= 11 * mebibyte, 'the server tells of holes');
    await changeAtRandom(disk, content, 2, 1);
    await changeAtRandom(disk, content, 3, 4096);
    await assertReads(disk, content, 4);
    unwrap(await disk.close());
    assert.ok(readFileSync(join(folder, 'disk.raw')).equals(content), 'what the server stored');
  });

  test('an export for reading, over TCP', async (t) => {
    const folder = serverFolder(t);
    const content = sparseContent(mebibyte, 32);
    writeFileSync(join(folder, 'disk.raw'), content);
    const port = await freePort();
    await startQemuNbd(t, folder, '-b', '127.0.0.1', '-p', String(port), '-r', '-f', 'raw', 'disk.raw');
    const disk = unwrap(await openNbd(`nbd://localhost:${port}`));
    assert.ok(disk.readOnly);
    await assertReads(disk, content, 1);
    assert.equal(failureOf(await disk.write(0, new Uint8Array(512))).kind, 'read-only');
    unwrap(await disk.close());
  });

  test('an export that is not there', async (t) => {
    const folder = serverFolder(t);
    writeFileSync(join(folder, 'disk.raw'), new Uint8Array(512));
    const server = await startQemuNbd(t, folder, '-x', 'a', '-f', 'raw', 'disk.raw');
    const failure = failureOf(await openNbd(server.url('b')));
    assert.equal(failure.kind, 'not-found');
    assert.match(failure.message, /does not have the export b/);
    unwrap(await unwrap(await openNbd(server.url('a'))).close());
  });
});

describe('nbdkit', { skip: withoutNbdkit }, () => {
  const variants: readonly [string, readonly string[], number][] = [
    ['as it is', ['memory', '8M'], 1],
    ['without structured replies', ['--no-sr', 'memory', '8M'], 1],
    ['without extents', ['--filter=noextents', 'memory', '8M'], 1],
    ['that emulates what it cannot do', ['--filter=nozero', '--filter=fua', 'memory', '8M', 'fuamode=emulate'], 1],
    ['that answers in any order', ['--filter=delay', 'memory', '8M', 'rdelay=5ms', 'wdelay=2ms'], 512],
    [
      'that takes blocks only',
      [
        ...['--filter=blocksize-policy', 'memory', '8M', 'blocksize-error-policy=error'],
        ...['blocksize-minimum=4096', 'blocksize-preferred=65536', 'blocksize-maximum=1M'],
      ],
      1,
    ],
  ];
  for (const [name, args, unit] of variants) {
    test(`a server ${name}`, async (t) => {
      const disk = unwrap(await openNbd((await startNbdkit(t, serverFolder(t), ...args)).url()));
      const content = new Uint8Array(8 * mebibyte);
      await changeAtRandom(disk, content, 11, unit);
      await assertReads(disk, content, 12);
      unwrap(await disk.close());
    });
  }

  test('a full server is told apart from a broken one', async (t) => {
    const full = unwrap(await openNbd((await startNbdkit(t, serverFolder(t), 'full', '1M')).url()));
    assert.equal(failureOf(await full.write(0, new Uint8Array(512))).kind, 'no-space');
    unwrap(await full.read(0, new Uint8Array(512)));
    const args = ['--filter=error', 'memory', '1M', 'error=EIO', 'error-pread-rate=100%'];
    const broken = unwrap(await openNbd((await startNbdkit(t, serverFolder(t), ...args)).url()));
    const failure = failureOf(await broken.read(0, new Uint8Array(512)));
    assert.equal(failure.kind, 'io');
    assert.match(failure.message, /EIO/);
    unwrap(await broken.write(0, new Uint8Array(512)));
    unwrap(await broken.close());
  });

  test('a server that insists on TLS is refused', async (t) => {
    const folder = serverFolder(t);
    writeFileSync(join(folder, 'psk'), 'user:00112233445566778899aabbccddeeff\n');
    const server = await startNbdkit(t, folder, '--tls=require', `--tls-psk=${join(folder, 'psk')}`, 'memory', '1M');
    const failure = failureOf(await openNbd(server.url()));
    assert.equal(failure.kind, 'unsupported');
    assert.match(failure.message, /TLS/);
  });

  test('a server that dies fails what is under way', async (t) => {
    const args = ['--filter=delay', 'memory', '1M', 'rdelay=60'];
    const server = await startNbdkit(t, serverFolder(t), ...args);
    const disk = unwrap(await openNbd(server.url()));
    const reads = Array.from({ length: 8 }, () => disk.read(0, new Uint8Array(4096)));
    unwrap(await disk.write(0, new Uint8Array(512)));
    server.kill();
    for (const read of reads) {
      const failure = failureOf(await read);
      assert.equal(failure.kind, 'io');
      assert.match(failure.message, /^the connection to nbd\+unix:.* was lost: the server /);
    }
    assert.match(failureOf(await disk.flush()).message, /was lost/);
    assert.match(failureOf(await disk.close()).message, /was lost/);
  });
});

describe('servers that are none', () => {
  test('nobody listens', async () => {
    assert.match(failureOf(await openNbd(`nbd://127.0.0.1:${await freePort()}/`)).message, /nobody listens there/);
    assert.match(failureOf(await openNbd('nbd+unix:///?socket=/nonexistent/sock')).message, /no such socket/);
    assert.match(failureOf(await openNbd('nbd+unix:///?socket=/etc/passwd')).message, /nobody listens|not a socket/);
  });

  async function serve(t: TestContext, greeting: Uint8Array | 'close'): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      if (greeting === 'close') socket.end();
      else socket.write(greeting);
    });
    t.after(() => server.close());
    return `nbd://127.0.0.1:${await listen(server)}/`;
  }

  test('another protocol, silence, and a door that is shut', async (t) => {
    const ssh = await serve(t, Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'));
    assert.match(failureOf(await openNbd(ssh)).message, /not an NBD server/);
    const silence = await serve(t, Buffer.from('NBDM'));
    assert.match(failureOf(await openNbd(silence, 100)).message, /has not answered for 0\.1 s/);
    assert.match(failureOf(await openNbd(await serve(t, 'close'))).message, /closed the connection/);
  });
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}
