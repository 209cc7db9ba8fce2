import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { hostFiles, openHostFile } from '../../testing/folder-files.ts';
import { ImageFile, imageFiles } from '../../testing/image-file.ts';
import { assertReads, failureOf, unwrap } from '../../testing/reading.ts';
import { sparseContent, Workshop, withoutQemuImg } from '../../testing/workshop.ts';
import { zlibCodecs } from '../../testing/zlib-codecs.ts';
import { vmdk } from './vmdk.ts';

const mebibyte = 2 ** 20;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function open(bytes: Uint8Array, others: readonly ImageFile[] = []) {
  return vmdk.open(new ImageFile(bytes, 'disk.vmdk'), imageFiles(others), zlibCodecs);
}

function described(...lines: readonly string[]): Uint8Array {
  return text(['# Disk DescriptorFile', 'version=1', 'CID=12345678', 'parentCID=ffffffff', ...lines, ''].join('\r\n'));
}

describe('VMDK made by QEMU', { skip: withoutQemuImg }, () => {
  const content = sparseContent(3 * mebibyte + 512, 5);

  function make(t: TestContext, subformat: string) {
    const path = new Workshop(t).image('image.vmdk', content, '-O', 'vmdk', '-o', `subformat=${subformat}`);
    const bytes = Uint8Array.from(readFileSync(path));
    return { bytes, view: new DataView(bytes.buffer) };
  }

  /** The image as a stream: its header only says that the footer has the complete one. */
  function withFooter(bytes: Uint8Array): Uint8Array {
    const whole = Math.ceil(bytes.length / 512) * 512;
    const stream = new Uint8Array(whole + 3 * 512);
    stream.set(bytes);
    stream.set([3], whole + 12);
    stream.set(bytes.subarray(0, 512), whole + 512);
    new DataView(stream.buffer).setBigUint64(56, 0xffff_ffff_ffff_ffffn, true);
    return stream;
  }

  test('a stream has its grain directory by its footer', async (t) => {
    const { bytes } = make(t, 'streamOptimized');
    const stream = withFooter(bytes);
    const workshop = new Workshop(t);
    workshop.write('stream.vmdk', stream);
    assert.ok(Buffer.from(workshop.content('stream.vmdk', 'vmdk')).equals(content), 'QEMU reads the stream, too');
    await assertReads(unwrap(await open(stream)), content, 1);
    const cut = failureOf(await open(stream.subarray(0, stream.length - 1024)));
    assert.equal(cut.kind, 'corrupt');
    assert.match(cut.message, /does not end with a footer/);
    assert.match(failureOf(await open(stream.subarray(0, 512))).message, /ends before its footer/);
  });

  test('a changed bit in a compressed grain is found', async (t) => {
    const { bytes, view } = make(t, 'streamOptimized');
    const table = view.getUint32(view.getUint32(56, true) * 512, true) * 512;
    let sector = 0;
    for (let entry = 0; sector === 0; entry++) sector = view.getUint32(table + entry * 4, true);
    const grain = sector * 512;
    const whole = new Uint8Array(content.length);
    const size = view.getUint32(grain + 8, true);
    for (const place of [grain, grain + 8, grain + 12, grain + 40, grain + 12 + size - 1]) {
      const changed = bytes.slice();
      changed[place] = (changed[place] as number) ^ 0x20;
      const failure = failureOf(await unwrap(await open(changed)).read(0, whole));
      assert.equal(failure.kind, 'corrupt', `byte ${place - grain} of the grain`);
    }
  });

  test('grains of zeroes take no room', async (t) => {
    const workshop = new Workshop(t);
    workshop.run('create', '-f', 'vmdk', '-o', 'zeroed_grain=on', 'image.vmdk', '4M');
    const commands = ['write -P 7 0 1M', 'write -z 64k 128k'].flatMap((command) => ['-c', command]);
    const written = spawnSync('qemu-io', ['-f', 'vmdk', ...commands, 'image.vmdk'], { cwd: workshop.folder });
    assert.equal(written.status, 0, String(written.stderr));
    const disk = unwrap(await open(Uint8Array.from(readFileSync(workshop.path('image.vmdk')))));
    assert.deepEqual(unwrap(await disk.extent(65_536, mebibyte)), { kind: 'zero', length: 131_072 });
    assert.deepEqual(unwrap(await disk.extent(mebibyte, 3 * mebibyte)), { kind: 'hole', length: 3 * mebibyte });
    await assertReads(disk, workshop.content('image.vmdk', 'vmdk'), 2);
  });

  test('a disk of several extents is one disk', async (t) => {
    const workshop = new Workshop(t);
    workshop.write('content.raw', content);
    truncateSync(workshop.path('content.raw'), 5 * 2 ** 30);
    // A block beyond the border between the first two extents.
    const border = 2 ** 31 - 32_768;
    spawnSync('qemu-io', ['-f', 'raw', '-c', `write -P 9 ${border} 64k`, 'content.raw'], { cwd: workshop.folder });
    workshop.run('convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse', 'content.raw', 'd.vmdk');
    const disk = unwrap(await vmdk.open(await openHostFile(workshop.path('d.vmdk')), hostFiles, zlibCodecs));
    assert.equal(disk.sizeBytes, 5 * 2 ** 30);
    const piece = new Uint8Array(131_072);
    unwrap(await disk.read(border - 32_768, piece));
    const expected = new Uint8Array(131_072).fill(9, 32_768, 98_304);
    assert.ok(Buffer.from(piece).equals(expected));
    unwrap(await disk.read(5 * 2 ** 30 - piece.length, piece));
    assert.ok(piece.every((byte) => byte === 0));
    unwrap(await disk.close());
  });

  test('a delta is refused', async (t) => {
    const workshop = new Workshop(t);
    workshop.run('create', '-f', 'vmdk', 'base.vmdk', '1M');
    workshop.run('create', '-f', 'vmdk', '-F', 'vmdk', '-b', 'base.vmdk', 'delta.vmdk');
    const failure = failureOf(await open(Uint8Array.from(readFileSync(workshop.path('delta.vmdk')))));
    assert.equal(failure.kind, 'unsupported');
    assert.match(failure.message, /differences to a parent/);
  });

  const wrong: readonly [string, 'corrupt' | 'unsupported', RegExp, (view: DataView) => void][] = [
    ['a transfer in text mode', 'corrupt', /binary mode/, (v) => v.setUint8(75, 0x0a)],
    ['an unknown version', 'unsupported', /version 4/, (v) => v.setUint32(4, 4, true)],
    ['unknown compression', 'unsupported', /compressed is unknown/, (v) => v.setUint16(77, 2, true)],
    ['a grain of 3 sectors', 'corrupt', /grain of 1536/, (v) => v.setBigUint64(20, 3n, true)],
    ['a grain of nothing', 'corrupt', /grain of 0/, (v) => v.setBigUint64(20, 0n, true)],
    ['a grain of 2^60 sectors', 'corrupt', /grain of/, (v) => v.setBigUint64(20, 1n << 60n, true)],
    ['grain tables without entries', 'corrupt', /table of 0 entries/, (v) => v.setUint32(44, 0, true)],
    ['large grain tables', 'corrupt', /table of 4294967295/, (v) => v.setUint32(44, 0xffff_ffff, true)],
    ['an endless disk', 'corrupt', /directory reaches beyond/, (v) => v.setBigUint64(12, 1n << 63n, true)],
    ['a directory beyond the end', 'corrupt', /directory reaches beyond/, (v) => v.setBigUint64(56, 1n << 50n, true)],
    ['a descriptor of 2 TiB', 'corrupt', /descriptor reaches/, (v) => v.setBigUint64(36, 1n << 32n, true)],
  ];
  for (const [what, kind, message, change] of wrong) {
    test(`${what} is refused`, async (t) => {
      const { bytes, view } = make(t, 'monolithicSparse');
      change(view);
      const failure = failureOf(await open(bytes));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
    });
  }
});

describe('VMDK by a descriptor', () => {
  const flat = new ImageFile(sparseContent(mebibyte, 9), 'räum-flat.vmdk');

  test('extents of all kinds that need no header', async () => {
    const descriptor = described(
      'createType="custom"',
      'RW 1024 FLAT "räum-flat.vmdk" 0',
      'RW 512 ZERO',
      'RDONLY 512 VMFS "räum-flat.vmdk"',
      'RW 512 FLAT "räum-flat.vmdk" 1024',
    );
    assert.ok(vmdk.probe(descriptor));
    const disk = unwrap(await open(descriptor, [flat]));
    const half = mebibyte / 2;
    const [begin, middle] = [flat.bytes.subarray(0, half), flat.bytes.subarray(half, half + half / 2)];
    const expected = Buffer.concat([begin, new Uint8Array(half / 2), begin.subarray(0, half / 2), middle]);
    await assertReads(disk, expected, 4);
    assert.equal(unwrap(await disk.extent(half, 512)).kind, 'hole');
    unwrap(await disk.close());
    assert.ok(flat.closed);
  });

  const wrong: readonly [string, string, string, RegExp][] = [
    ['/etc/shadow', 'RW 1 FLAT "/etc/shadow" 0', 'unsupported', /\/etc\/shadow is not in the folder/],
    ['a file of the folder above', 'RW 1 FLAT "a/../../b" 0', 'unsupported', /is not in the folder/],
    ['a drive of Windows', 'RW 1 FLAT "\\\\.\\PhysicalDrive0" 0', 'unsupported', /is not in the folder/],
    ['a file that is not there', 'RW 1 FLAT "gone.vmdk" 0', 'not-found', /there is no file gone\.vmdk/],
    ['a file that is too short', 'RW 2049 FLAT "räum-flat.vmdk" 0', 'corrupt', /ends before its 1049088 bytes/],
    ['a sparse extent that is none', 'RW 1 SPARSE "räum-flat.vmdk"', 'corrupt', /signature of an extent/],
    ['no file', 'RW 1 FLAT', 'corrupt', /without a file/],
    ['a name in another encoding', 'RW 1 FLAT "\xe4.vmdk" 0', 'unsupported', /not UTF-8/],
    ['a sparse extent of ESX', 'RW 1 VMFSSPARSE "räum-flat.vmdk"', 'unsupported', /format of ESX/],
    ['an unknown kind of extent', 'RW 1 WONDER "räum-flat.vmdk"', 'unsupported', /type WONDER/],
    ['an extent without access', 'NOACCESS 1 FLAT "räum-flat.vmdk" 0', 'unsupported', /may not be accessed/],
    ['an endless extent', 'RW 999999999999999 ZERO', 'corrupt', /larger than any disk/],
    ['no extent', '', 'corrupt', /names no extent/],
    ['5000 extents', 'RW 1 ZERO\n'.repeat(5000), 'unsupported', /more than 4096 extents/],
  ];
  for (const [what, line, kind, message] of wrong) {
    test(`${what} is refused`, async () => {
      const bytes = what.startsWith('a name in')
        ? Buffer.from(Buffer.from(described(line)).toString(), 'latin1')
        : described(line);
      const file = new ImageFile(flat.bytes, flat.name);
      const failure = failureOf(await open(Uint8Array.from(bytes), [file]));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
      assert.ok(file.closed || !/RW 1 SPARSE|2049/.test(line), 'what was opened is closed again');
    });
  }

  test('what is no VMDK is refused, however short', async () => {
    for (const bytes of [
      new Uint8Array(0),
      text('K'),
      text('KDMV'),
      new Uint8Array(4096),
      text('version=9\n'),
      text('#'),
    ]) {
      assert.equal(vmdk.probe(bytes), Buffer.from(bytes).toString() === 'KDMV');
      assert.notEqual(failureOf(await open(bytes)).kind, 'io');
    }
    assert.match(failureOf(await open(text('COWD'))).message, /ESX server/);
    assert.match(failureOf(await open(new Uint8Array(2 ** 21))).message, /neither an extent nor a descriptor/);
  });
});
