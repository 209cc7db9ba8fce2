import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Disk } from '../../src/block/disk.ts';
import { openImage } from '../../src/block/open-image.ts';
import { checkQcow2 } from '../../src/block/qcow2/check/check.ts';
import { Qcow2Disk } from '../../src/block/qcow2/qcow2-disk.ts';
import { loadSnapshots } from '../../src/block/qcow2/snapshot/snapshot-table.ts';
import { applySnapshot, showSnapshot } from '../../src/block/qcow2/snapshot/snapshots.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuImg, qemuIo, qemuToolsSkip, run } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { messageOf, value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';

const mebibyte = 2 ** 20;
const host = nodeImageHost();
const path = testFolder();

/** Text, noise and zeroes. */
function content(sizeBytes: number): Uint8Array {
  const random = new Random(1, sizeBytes, 'content');
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 50_000) {
    const kind = random.below(3);
    const part = bytes.subarray(at, at + 50_000);
    if (kind === 1) part.fill(1 + random.below(255));
    if (kind === 2) for (let i = 0; i < part.length; i++) part[i] = random.below(256);
  }
  return bytes;
}

async function read(disk: Disk): Promise<Uint8Array> {
  const bytes = new Uint8Array(disk.sizeBytes);
  const random = new Random(2, disk.sizeBytes, 'reads');
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(1 + random.below(100_000), bytes.length - at);
    value(await disk.read(at, bytes.subarray(at, at + length)));
    at += length;
  }
  return bytes;
}

async function openFor(access: 'reading' | 'writing', name: string): Promise<Qcow2Disk> {
  const readOnly = access === 'reading';
  const { disk, format } = value(await openImage(host, path(name), { format: undefined, readOnly }));
  assert.equal(format, 'qcow2');
  assert.ok(disk instanceof Qcow2Disk);
  return disk;
}

async function readAll(name: string): Promise<Uint8Array> {
  const disk = await openFor('reading', name);
  const bytes = await read(disk);
  value(await disk.close());
  return bytes;
}

function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.equal(at, -1, `they differ at ${at}`);
}

/** Writes something here and there, and has QEMU compare all. */
async function changeAndJudge(name: string, expected: Uint8Array): Promise<void> {
  const disk = await openFor('writing', name);
  const bytes = expected.slice();
  const random = new Random(3, bytes.length, name);
  for (let count = 0; count < 30; count++) {
    const at = random.below(bytes.length - 70_000);
    const part = new Uint8Array(1 + random.below(70_000)).fill(count + 1);
    bytes.set(part, at);
    value(await disk.write(at, part));
  }
  value(await disk.close());
  writeFileSync(path('expected.raw'), bytes);
  await qemuImg('check', '-q', path(name));
  await qemuImg('compare', '-q', '-f', 'qcow2', '-F', 'raw', path(name), path('expected.raw'));
}

describe('images that QEMU wrote', { skip: qemuToolsSkip() }, () => {
  const kinds = [
    'compat=0.10',
    'compat=1.1',
    'cluster_size=512',
    'cluster_size=2M',
    'refcount_bits=1',
    'refcount_bits=64',
    'lazy_refcounts=on',
    'extended_l2=on,cluster_size=16k',
    'preallocation=metadata',
    'compression_type=zstd',
  ];
  for (const compressed of [false, true]) {
    for (const options of kinds) {
      // QEMU packs compressed clusters into one, which a count of one bit cannot tell.
      if (compressed && (options === 'preallocation=metadata' || options === 'refcount_bits=1')) continue;
      test(`${options}${compressed ? ', compressed' : ''}`, async () => {
        const bytes = content(2 * mebibyte + 1536);
        writeFileSync(path('content.raw'), bytes);
        const compression = compressed ? ['-c'] : [];
        const args = ['convert', '-f', 'raw', '-O', 'qcow2', ...compression, '-o', options];
        await qemuImg(...args, path('content.raw'), path('image.qcow2'));
        assertSame(await readAll('image.qcow2'), bytes);
        await changeAndJudge('image.qcow2', bytes);
      });
    }
  }

  test('a chain of backing files, some compressed, of different sizes', async () => {
    await qemuImg('create', '-q', '-f', 'raw', path('base.raw'), '3M');
    await qemuIo('raw', path('base.raw'), 'write -P 1 0 3M');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', path('one.qcow2'), '5M');
    await qemuIo('qcow2', path('one.qcow2'), 'write -P 2 1M 64k', 'write -c -P 3 2M 64k', 'write -z 2560k 64k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'one.qcow2', '-F', 'qcow2', path('two.qcow2'), '4M');
    await qemuIo('qcow2', path('two.qcow2'), 'write -P 4 1000k 100k');
    await qemuImg('convert', '-O', 'raw', path('two.qcow2'), path('two.raw'));
    const expected = readFileSync(path('two.raw'));
    assertSame(await readAll('two.qcow2'), expected);
    await changeAndJudge('two.qcow2', expected);
  });

  test('parts of clusters', async () => {
    await qemuImg('create', '-q', '-f', 'raw', path('below.raw'), '2M');
    await qemuIo('raw', path('below.raw'), 'write -P 1 0 2M');
    const options = ['-o', 'extended_l2=on,cluster_size=64k', '-b', 'below.raw', '-F', 'raw'];
    await qemuImg('create', '-q', '-f', 'qcow2', ...options, path('parts.qcow2'), '3M');
    const commands = [
      'write -P 2 1k 3k',
      'write -P 3 100k 2k',
      'write -z 300k 4k',
      'write -z -u 400k 100k',
      'discard 64k 64k',
    ];
    await qemuIo(
      'qcow2',
      path('parts.qcow2'),
      ...commands,
      'write -P 4 401k 1k',
      'write -c -P 5 1M 64k',
      'write -P 6 1030k 1k',
    );
    await qemuImg('convert', '-O', 'raw', path('parts.qcow2'), path('parts.raw'));
    const expected = readFileSync(path('parts.raw'));
    assertSame(await readAll('parts.qcow2'), expected);
    await changeAndJudge('parts.qcow2', expected);
  });

  test('snapshots', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('snapshots.qcow2'), '4M');
    const states: Uint8Array[] = [];
    for (let state = 0; state < 3; state++) {
      await qemuIo('qcow2', path('snapshots.qcow2'), `write -P ${state + 1} ${state * 300}k 1M`);
      await qemuImg('snapshot', '-c', `state ${state}`, path('snapshots.qcow2'));
      await qemuImg('convert', '-O', 'raw', path('snapshots.qcow2'), path('state.raw'));
      states.push(readFileSync(path('state.raw')));
    }
    const reader = await openFor('reading', 'snapshots.qcow2');
    const { snapshots } = value(await loadSnapshots(reader.image.file, reader.image.header));
    assert.deepEqual(
      snapshots.map(({ id, name, diskBytes }) => [id, name, diskBytes]),
      states.map((_, state) => [String(state + 1), `state ${state}`, 4 * mebibyte]),
    );
    value(await showSnapshot(reader.image, 'state 1'));
    assertSame(await read(reader), states[1] as Uint8Array);
    value(await reader.close());
    const writer = await openFor('writing', 'snapshots.qcow2');
    value(await applySnapshot(writer.image, '1'));
    assertSame(await read(writer), states[0] as Uint8Array);
    value(await writer.close());
    await changeAndJudge('snapshots.qcow2', states[0] as Uint8Array);
    await qemuImg('snapshot', '-a', 'state 2', path('snapshots.qcow2'));
    assertSame(await readAll('snapshots.qcow2'), states[2] as Uint8Array);
  });

  test('a crash with lazy refcounts is repaired by opening the image', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', path('lazy.qcow2'), '4M');
    const commands = ['-c', 'write -P 9 1M 1M', '-c', 'flush', '-c', 'sigraise 9'];
    await run('qemu-io', ['-f', 'qcow2', ...commands, path('lazy.qcow2')]);
    assert.match(await qemuImg('info', '--output=json', path('lazy.qcow2')), /"dirty-flag": true/);
    const file = value(await host.files.open(path('lazy.qcow2'), 'read'));
    assert.ok(value(await checkQcow2(file, { repair: 'none' })).errors > 0);
    value(await file.close());
    const expected = new Uint8Array(4 * mebibyte).fill(9, mebibyte, 2 * mebibyte);
    assertSame(await readAll('lazy.qcow2'), expected);
    value(await (await openFor('writing', 'lazy.qcow2')).close());
    assert.match(await qemuImg('info', '--output=json', path('lazy.qcow2')), /"dirty-flag": false/);
    await qemuImg('check', '-q', path('lazy.qcow2'));
    await changeAndJudge('lazy.qcow2', expected);
  });

  test('bitmaps keep their room until something is written', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', path('bitmaps.qcow2'), '4M');
    await qemuImg('bitmap', '--add', path('bitmaps.qcow2'), 'changes');
    await qemuIo('qcow2', path('bitmaps.qcow2'), 'write -P 1 0 1M');
    const file = value(await host.files.open(path('bitmaps.qcow2'), 'read'));
    const { errors, leaks } = value(await checkQcow2(file, { repair: 'none' }));
    value(await file.close());
    assert.deepEqual([errors, leaks], [0, 0]);
    const disk = await openFor('writing', 'bitmaps.qcow2');
    value(await disk.write(0, new Uint8Array(512)));
    value(await disk.close());
    // QEMU must see that the bitmap does not know of that.
    const { text } = await run('qemu-img', ['info', path('bitmaps.qcow2')]);
    assert.match(text, /bitmaps are now considered inconsistent/);
  });

  test('what needs more than this program has is refused with a sentence', async () => {
    const cases: [string[], RegExp][] = [
      [['-o', `data_file=${path('data')}`, path('external.qcow2'), '1M'], /data lies in a separate raw file/],
      [
        [
          '-o',
          'encrypt.format=aes,encrypt.key-secret=s',
          '--object',
          'secret,id=s,data=x',
          path('encrypted.qcow2'),
          '1M',
        ],
        /encrypted \(AES\)/,
      ],
    ];
    for (const [args, pattern] of cases) {
      await qemuImg('create', '-q', '-f', 'qcow2', ...args);
      const name = args.at(-2) as string;
      assert.match(messageOf(await openImage(host, name, { readOnly: true })), pattern);
    }
  });
});
