import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Disk } from '../disk.ts';
import { chunk, FakeNbdServer, type FakeOptions, simpleReply, uint32, uint64 } from '../testing/fake-nbd-server.ts';
import { assertReads, failureOf, unwrap } from '../testing/reading.ts';
import { sparseContent } from '../testing/workshop.ts';
import { openNbdDisk } from './nbd-disk.ts';

const mebibyte = 2 ** 20;
const [read, write, flush, trim, writeZeroes, blockStatus] = [0, 1, 3, 4, 6, 7];
const flag = { readOnly: 2, flush: 4, fua: 8, trim: 0x20, writeZeroes: 0x40 };

async function start(options: FakeOptions = {}, content = sparseContent(2 * mebibyte, 1)) {
  const server = new FakeNbdServer(content, options);
  return { server, disk: unwrap(await openNbdDisk('nbd://fake/', server, 'disk')) };
}

const bytesOf = async (disk: Disk, offset: number, length: number): Promise<Buffer> => {
  const into = Buffer.alloc(length);
  unwrap(await disk.read(offset, into));
  return into;
};

describe('requests', () => {
  test('reads with and without structured replies', async () => {
    for (const hasStructuredReplies of [true, false]) {
      const { server, disk } = await start({ hasStructuredReplies });
      await assertReads(disk, server.content.slice(), 1);
      unwrap(await disk.close());
      assert.ok(server.isClosed);
    }
  });

  test('a read may come in pieces, in any order, with holes', async () => {
    const { disk, server } = await start({
      answer({ command, cookie, offset, length }) {
        if (command !== read || length < 4096) return undefined;
        const piece = (from: number, to: number) => {
          const data = server.content.subarray(offset + from, offset + to);
          return chunk(cookie, 1, Buffer.concat([uint64(offset + from), data]), false);
        };
        const hole = chunk(cookie, 2, Buffer.concat([uint64(offset + 1024), uint32(1024)]), false);
        return [piece(3072, length), piece(0, 1024), hole, piece(2048, 3072), chunk(cookie, 0, new Uint8Array(0))];
      },
    });
    server.content.fill(0, 1024, 2048);
    assert.ok((await bytesOf(disk, 0, 8192)).equals(server.content.subarray(0, 8192)));
  });

  test('replies come in any order', async () => {
    const { disk, server } = await start({ answer: ({ command }) => (command === read ? [] : undefined) });
    const [first, second] = [Buffer.alloc(512), Buffer.alloc(512)];
    const reads = [disk.read(0, first), disk.read(1024, second)];
    for (const { cookie, offset } of server.requests.toReversed()) {
      server.send(chunk(cookie, 1, Buffer.concat([uint64(offset), Buffer.alloc(512, offset === 0 ? 1 : 2)])));
    }
    for (const result of await Promise.all(reads)) unwrap(result);
    assert.ok(first.every((byte) => byte === 1) && second.every((byte) => byte === 2));
  });

  test('what a server can do decides what is asked', async () => {
    const cases: readonly [number, (disk: Disk) => Promise<unknown>, readonly [command: number, flags: number][]][] = [
      [0, (disk) => disk.write(0, new Uint8Array(512)), [[write, 0]]],
      [0, (disk) => disk.flush(), []],
      [flag.flush, (disk) => disk.flush(), [[flush, 0]]],
      [flag.fua, (disk) => disk.write(0, new Uint8Array(512)), [[write, 1]]],
      [flag.fua | flag.flush, (disk) => disk.write(0, new Uint8Array(512)), [[write, 0]]],
      [0, (disk) => disk.discard(0, 512), []],
      [flag.trim, (disk) => disk.discard(0, 512), [[trim, 0]]],
      [flag.trim | flag.fua, (disk) => disk.discard(0, 512), [[trim, 1]]],
      [flag.writeZeroes, (disk) => disk.writeZeroes(0, 512, true), [[writeZeroes, 0]]],
      [flag.writeZeroes, (disk) => disk.writeZeroes(0, 512, false), [[writeZeroes, 2]]],
      [
        0,
        (disk) => disk.writeZeroes(0, 2 * mebibyte, true),
        [
          [write, 0],
          [write, 0],
        ],
      ],
      [0, (disk) => disk.extent(0, 512), [[blockStatus, 8]]],
    ];
    for (const [flags, act, expected] of cases) {
      const { disk, server } = await start({ flags: flags | 1 });
      await act(disk);
      assert.deepEqual(
        server.requests.map((request) => [request.command, request.flags]),
        expected,
      );
      if (expected.length === 2) assert.ok(server.content.every((byte) => byte === 0));
    }
  });

  test('large requests are split as the server wants it', async () => {
    const { disk, server } = await start({ blockSizes: [512, 4096, 100_000] }, sparseContent(3 * mebibyte, 4));
    assert.equal(disk.blockBytes, 4096);
    await assertReads(disk, server.content.slice(), 2);
    unwrap(await disk.write(512, new Uint8Array(2 * mebibyte).fill(7)));
    assert.ok(server.content.subarray(512, 512 + 2 * mebibyte).every((byte) => byte === 7));
    assert.ok(server.requests.every(({ length }) => length <= 99_840 || length % 512 === 0));
  });

  test('a server that only takes blocks gets blocks, and neighbours stay', async () => {
    const { disk, server } = await start({ blockSizes: [4096, 65_536, mebibyte] });
    assert.equal(disk.blockBytes, 65_536);
    const expected = Buffer.from(server.content);
    expected.fill(5, 100, 200).fill(6, 4095, 12_290).fill(0, 5000, 5001).fill(8, 8192, 16_384);
    unwrap(await disk.write(100, Buffer.alloc(100, 5)));
    unwrap(await disk.write(4095, Buffer.alloc(8195, 6)));
    unwrap(await disk.writeZeroes(5000, 1, true));
    unwrap(await disk.write(8192, Buffer.alloc(8192, 8)));
    unwrap(await disk.discard(1, 4095));
    assert.ok((await bytesOf(disk, 99, 20_000)).equals(expected.subarray(99, 20_099)));
    assert.ok(Buffer.from(server.content).equals(expected));
    for (const { offset, length, command } of server.requests) {
      assert.ok(offset % 4096 === 0 && length % 4096 === 0, `command ${command} at ${offset}, ${length} bytes`);
    }
    const extent = unwrap(await disk.extent(4000, 1000));
    assert.ok(extent.length > 0 && extent.length <= 1000);
  });

  test('writes to parts of one block at the same time are all kept', async () => {
    const { disk, server } = await start({ blockSizes: [4096, 4096, mebibyte] });
    const writes = Array.from({ length: 64 }, (_, part) => disk.write(part * 64, Buffer.alloc(64, part + 1)));
    const whole = disk.write(4096, Buffer.alloc(4096, 99));
    for (const result of await Promise.all([...writes, whole])) unwrap(result);
    for (let part = 0; part < 64; part++) assert.equal(server.content[part * 64 + 63], part + 1);
    assert.equal(server.content[4096], 99);
  });

  test('what the disk refuses is not asked', async () => {
    const { disk, server } = await start({ flags: 1 | flag.readOnly | flag.trim });
    assert.ok(disk.readOnly);
    assert.equal(failureOf(await disk.write(0, new Uint8Array(512))).kind, 'read-only');
    assert.equal(failureOf(await disk.discard(0, 512)).kind, 'read-only');
    assert.equal(failureOf(await disk.writeZeroes(0, 512, false)).kind, 'read-only');
    assert.equal(failureOf(await disk.read(disk.sizeBytes - 1, new Uint8Array(2))).kind, 'range');
    assert.equal(failureOf(await disk.read(-1, new Uint8Array(1))).kind, 'range');
    assert.equal(failureOf(await disk.extent(disk.sizeBytes, 1)).kind, 'range');
    assert.equal(failureOf(await disk.resize(0)).kind, 'unsupported');
    unwrap(await disk.read(disk.sizeBytes, new Uint8Array(0)));
    assert.equal(server.requests.length, 0);
  });

  test('errors of the server are failures of the request alone', async () => {
    for (const [error, kind] of [
      [1, 'read-only'],
      [5, 'io'],
      [28, 'no-space'],
      [95, 'unsupported'],
      [1234, 'io'],
    ] as const) {
      for (const isStructured of [true, false]) {
        const text = Buffer.from('dis\x1bk');
        const payload = Buffer.concat([uint32(error), Buffer.from([0, text.length]), text]);
        const { disk } = await start({
          answer: ({ command, cookie }) =>
            command === write
              ? [isStructured ? chunk(cookie, 0x8001, payload) : simpleReply(cookie, error)]
              : undefined,
        });
        const failure = failureOf(await disk.write(0, new Uint8Array(512)));
        assert.equal(failure.kind, kind);
        if (isStructured) assert.match(failure.message, /: dis\?k\.$/);
        await bytesOf(disk, 0, 512);
      }
    }
  });
});

describe('the handshake', () => {
  const open = (options: FakeOptions) => {
    const server = new FakeNbdServer(new Uint8Array(4096), options);
    return openNbdDisk('nbd://fake/', server, 'my disk').then((result) => ({ result, server }));
  };

  test('refusals are told', async () => {
    for (const [goError, kind, message] of [
      [0x8000_0006, 'not-found', /does not have the export my disk \(it says: my disk\)/],
      [0x8000_0005, 'unsupported', /encrypted connections \(TLS\)/],
      [0x8000_0001, 'unsupported', /too old/],
      [0x8000_0002, 'io', /does not give us the export/],
      [0x8000_0007, 'io', /shutting down/],
      [0x8000_0063, 'io', /error 99/],
    ] as const) {
      const { result, server } = await open({ goError });
      const failure = failureOf(result);
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
      assert.match(failure.message, /^nbd:\/\/fake\/ cannot be opened: /);
      assert.ok(server.isClosed);
    }
  });

  test('what is no server, or an old one, is told', async () => {
    for (const [greeting, message] of [
      ['SSH-2.0-OpenSSH_9.2p1 Debian', /not an NBD server/],
      ['NBDMAGICxxxxxxxx', /not an NBD server/],
      ['NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53', /style of NBD that is not in use/],
      ['NBDMAGICIHAVEOPT\x00\x02', /style of NBD that is not in use/],
    ] as const) {
      assert.match(failureOf((await open({ greeting: Buffer.from(greeting, 'latin1') })).result).message, message);
    }
  });

  test('impossible block sizes are refused', async () => {
    for (const blockSizes of [
      [3, 4096, mebibyte],
      [0, 4096, mebibyte],
      [2 ** 17, 2 ** 17, mebibyte],
      [4096, 4096, 512],
      [65_536, 65_536, mebibyte],
    ] as const) {
      assert.match(failureOf((await open({ blockSizes })).result).message, /broke the protocol/);
    }
    assert.equal(unwrap((await open({ blockSizes: [1, 3, 0xffff_ffff] })).result).blockBytes, 512);
  });
});

describe('a connection that is lost', () => {
  test('fails what is under way and what comes later', async () => {
    const { disk, server } = await start({ answer: () => [] });
    const reads = [disk.read(0, new Uint8Array(512)), disk.write(0, new Uint8Array(512)), disk.flush()];
    server.close();
    for (const result of await Promise.all(reads)) {
      const failure = failureOf(result);
      assert.equal(failure.kind, 'io');
      assert.equal(failure.message, 'the connection to nbd://fake/ was lost: the server closed the connection.');
    }
    assert.match(failureOf(await disk.read(0, new Uint8Array(1))).message, /was lost/);
    assert.match(failureOf(await disk.close()).message, /was lost/);
  });

  test('a server that shuts down is left', async () => {
    const { disk, server } = await start({ answer: ({ cookie }) => [simpleReply(cookie, 108)] });
    assert.match(failureOf(await disk.flush()).message, /ESHUTDOWN/);
    assert.match(failureOf(await disk.flush()).message, /shutting down/);
    assert.ok(server.isClosed);
  });

  const lies: readonly [string, (cookie: bigint) => readonly Uint8Array[]][] = [
    ['another magic number', () => [Buffer.alloc(16, 1)]],
    ['an unknown cookie', (cookie) => [simpleReply(cookie + 1n, 0)]],
    ['an unknown cookie in a chunk', (cookie) => [chunk(cookie + 1n, 0, new Uint8Array(0))]],
    ['a read without chunks', (cookie) => [simpleReply(cookie, 0)]],
    ['nothing', (cookie) => [chunk(cookie, 0, new Uint8Array(0))]],
    ['nothing with something', (cookie) => [chunk(cookie, 0, new Uint8Array(4))]],
    ['half of the data', (cookie) => [chunk(cookie, 1, Buffer.concat([uint64(0), Buffer.alloc(256)]))]],
    ['more data', (cookie) => [chunk(cookie, 1, Buffer.concat([uint64(0), Buffer.alloc(1024)]))]],
    ['data from elsewhere', (cookie) => [chunk(cookie, 1, Buffer.concat([uint64(4096), Buffer.alloc(512)]))]],
    ['data without a place', (cookie) => [chunk(cookie, 1, new Uint8Array(3))]],
    [
      'data twice',
      (cookie) => [0, 0].map((offset) => chunk(cookie, 1, Buffer.concat([uint64(offset), Buffer.alloc(512)]), false)),
    ],
    [
      'data that overlaps',
      (cookie) => [256, 0].map((at) => chunk(cookie, 1, Buffer.concat([uint64(at), Buffer.alloc(at || 257)]), false)),
    ],
    ['a hole beyond the end', (cookie) => [chunk(cookie, 2, Buffer.concat([uint64(0), uint32(0xffff_ffff)]))]],
    ['a hole of nothing', (cookie) => [chunk(cookie, 2, Buffer.concat([uint64(0), uint32(0)]))]],
    ['a hole of another size', (cookie) => [chunk(cookie, 2, new Uint8Array(13))]],
    ['a status', (cookie) => [chunk(cookie, 5, Buffer.concat([uint32(7), uint32(512), uint32(0)]))]],
    ['an endless error', (cookie) => [chunk(cookie, 0x8001, new Uint8Array(10_000))]],
    ['an error that is none', (cookie) => [chunk(cookie, 0x8001, new Uint8Array(6))]],
    ['an error with a text that is not there', (cookie) => [chunk(cookie, 0x8001, Buffer.from([0, 0, 0, 5, 1, 0]))]],
    ['an unknown chunk', (cookie) => [chunk(cookie, 77, new Uint8Array(0))]],
  ];
  for (const [what, answer] of lies) {
    test(`a server that answers a read with ${what} is left`, async () => {
      const { disk, server } = await start({ answer: ({ cookie }) => answer(cookie) });
      assert.match(failureOf(await disk.read(0, new Uint8Array(512))).message, /lost: the server broke the protocol: /);
      assert.ok(server.isClosed);
    });
  }

  test('a server that lies about extents is left, or cut short', async () => {
    const status = (...numbers: number[]) => Buffer.concat([uint32(7), ...numbers.map(uint32)]);
    const { disk: empty } = await start({ answer: ({ cookie }) => [chunk(cookie, 5, status(0, 0))] });
    assert.match(failureOf(await empty.extent(0, 512)).message, /empty extent/);
    const { disk: endless } = await start({ answer: ({ cookie }) => [chunk(cookie, 5, new Uint8Array(8004))] });
    assert.match(failureOf(await endless.extent(0, 512)).message, /status of 8004 bytes/);
    const { disk: long } = await start({ answer: ({ cookie }) => [chunk(cookie, 5, status(0xffff_ffff, 3))] });
    assert.deepEqual(unwrap(await long.extent(512, 1024)), { kind: 'hole', length: 1024 });
    const { disk: stale } = await start({ answer: ({ cookie }) => [chunk(cookie, 5, status(4096, 1))] });
    assert.deepEqual(unwrap(await stale.extent(0, 4096)), { kind: 'data', length: 4096 });
  });
});
