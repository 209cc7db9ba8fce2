import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { ImageFile, imageFiles } from '../../testing/image-file.ts';
import { assertReads, failureOf, unwrap } from '../../testing/reading.ts';
import {
  encodeEntry,
  entryBytes,
  type LoggedChange,
  type LoggedEntry,
  logOf,
  openLog,
  placeEntry,
  sealStructure,
} from '../../testing/vhdx-log.ts';
import { sparseContent, Workshop, withoutQemuImg } from '../../testing/workshop.ts';
import { zlibCodecs } from '../../testing/zlib-codecs.ts';
import { vhdx } from './vhdx.ts';

const mebibyte = 2 ** 20;
const open = (bytes: Uint8Array) => vhdx.open(new ImageFile(bytes, 'disk.vhdx'), imageFiles([]), zlibCodecs);

interface Region {
  readonly entry: number;
  readonly offset: number;
}

/** The region of the first table whose GUID begins with these bytes. */
function regionOf(bytes: Uint8Array, guid: readonly number[]): Region {
  const view = new DataView(bytes.buffer);
  let entry = 0x3_0010;
  while (!guid.every((byte, at) => bytes[entry + at] === byte)) entry += 32;
  return { entry, offset: Number(view.getBigUint64(entry + 16, true)) };
}

const blockTableOf = (bytes: Uint8Array): Region => regionOf(bytes, [0x66, 0x77, 0xc2, 0x2d]);
const metadataOf = (bytes: Uint8Array): Region => regionOf(bytes, [0x06, 0xa2, 0x7c, 0x8b]);

describe('VHDX', { skip: withoutQemuImg }, () => {
  const content = sparseContent(6 * mebibyte, 21)
    .fill(1, 0, 512)
    .fill(0, 2 * mebibyte, 3 * mebibyte);

  function make(t: TestContext) {
    const workshop = new Workshop(t);
    const path = workshop.image('image.vhdx', content, '-O', 'vhdx', '-o', 'block_size=1M,subformat=dynamic');
    const bytes = Uint8Array.from(readFileSync(path));
    return { workshop, bytes, view: new DataView(bytes.buffer) };
  }

  test('either header and either region table is enough', async (t) => {
    for (const [first, second] of [
      [0x1_0000, 0x3_0000],
      [0x2_0000, 0x4_0000],
    ] as const) {
      const { bytes } = make(t);
      bytes.fill(0xee, first, first + 4096);
      bytes.fill(0xee, second, second + 65_536);
      await assertReads(unwrap(await open(bytes)), content, 1);
    }
    const { bytes } = make(t);
    bytes[0x1_0100] = 1;
    bytes[0x2_0100] = 1;
    assert.match(failureOf(await open(bytes)).message, /neither of its headers is intact/);
  });

  test('blocks that are zero, unmapped, or in a state that cannot be', async (t) => {
    const { bytes, view } = make(t);
    const table = blockTableOf(bytes).offset;
    view.setBigUint64(table, 2n, true);
    view.setBigUint64(table + 8, 3n, true);
    view.setBigUint64(table + 24, 7n, true);
    view.setBigUint64(table + 32, 6n, true);
    view.setBigUint64(table + 40, (1n << 63n) | 6n, true);
    const disk = unwrap(await open(bytes));
    assert.deepEqual(unwrap(await disk.extent(0, mebibyte * 2)), { kind: 'zero', length: 2 * mebibyte });
    const piece = new Uint8Array(512);
    unwrap(await disk.read(0, piece));
    assert.ok(piece.every((byte) => byte === 0));
    assert.match(failureOf(await disk.read(3 * mebibyte, piece)).message, /in the state 7/);
    assert.match(failureOf(await disk.read(4 * mebibyte, piece)).message, /not where it can be/);
    assert.match(failureOf(await disk.read(5 * mebibyte, piece)).message, /not where it can be/);
  });

  test('sectors of 4096 bytes are what guests should address', async (t) => {
    const workshop = new Workshop(t);
    const bytes = Uint8Array.from(readFileSync(workshop.image('image.vhdx', content, '-O', 'vhdx')));
    const view = new DataView(bytes.buffer);
    const { offset } = metadataOf(bytes);
    for (let item = 0; item < view.getUint16(offset + 10, true); item++) {
      const place = offset + view.getUint32(offset + 32 + item * 32 + 16, true);
      if (view.getUint32(offset + 32 + item * 32 + 20, true) === 4 && view.getUint32(place, true) === 512) {
        view.setUint32(place, 4096, true);
      }
    }
    const disk = unwrap(await open(bytes));
    assert.equal(disk.blockBytes, 4096);
    await assertReads(disk, content, 5);
  });

  const wrong: readonly [string, 'corrupt' | 'unsupported', RegExp, (bytes: Uint8Array, view: DataView) => void][] = [
    [
      'a disk of another version',
      'unsupported',
      /version 2/,
      (_, v) => {
        for (const header of [0x1_0000, 0x2_0000]) v.setUint16(header + 66, 2, true);
      },
    ],
    [
      'a cut image',
      'corrupt',
      /not where it can be/,
      (b, v) => v.setBigUint64(metadataOf(b).entry + 16, 1n << 40n, true),
    ],
    ['10000 regions', 'corrupt', /10000 regions/, (_, v) => v.setUint32(0x3_0008, 10_000, true)],
    ['no regions', 'corrupt', /lacks a required region/, (_, v) => v.setUint32(0x3_0008, 0, true)],
    ['an unknown required region', 'unsupported', /required region/, (b) => b.fill(0xaa, 0x3_0010, 0x3_0030)],
    ['a region twice', 'corrupt', /two regions/, (b) => b.copyWithin(0x3_0030, 0x3_0010, 0x3_0030)],
    [
      'metadata without signature',
      'corrupt',
      /no signature/,
      (b) => b.fill(0, metadataOf(b).offset, metadataOf(b).offset + 8),
    ],
    ['65535 items', 'corrupt', /65535 items/, (b, v) => v.setUint16(metadataOf(b).offset + 10, 65_535, true)],
    ['no items', 'corrupt', /lacks required metadata/, (b, v) => v.setUint16(metadataOf(b).offset + 10, 0, true)],
    [
      'an unknown required item',
      'unsupported',
      /required metadata of the unknown kind/,
      (b) => b.fill(0xbb, metadataOf(b).offset + 32, metadataOf(b).offset + 48),
    ],
    [
      'an item elsewhere',
      'corrupt',
      /metadata is not where/,
      (b, v) => v.setUint32(metadataOf(b).offset + 48, 0xffff_f000, true),
    ],
    ['a parent', 'unsupported', /differences to a parent/, (b, v) => v.setUint32(parametersOf(b) + 4, 2, true)],
    ['a block of nothing', 'corrupt', /block of 0/, (b, v) => v.setUint32(parametersOf(b), 0, true)],
    ['a block of 2 GiB', 'corrupt', /block of 2147483648/, (b, v) => v.setUint32(parametersOf(b), 2 ** 31, true)],
    ['an endless disk', 'corrupt', /disk of/, (b, v) => v.setBigUint64(parametersOf(b) + 8, (1n << 64n) - 512n, true)],
    [
      'a disk larger than its table',
      'corrupt',
      /table is too small/,
      (b, v) => v.setBigUint64(parametersOf(b) + 8, 1n << 40n, true),
    ],
  ];
  /** QEMU puts the parameters first and the size of the disk behind them. */
  const parametersOf = (bytes: Uint8Array): number => metadataOf(bytes).offset + 65_536;
  for (const [what, kind, message, change] of wrong) {
    test(`${what} is refused`, async (t) => {
      const { bytes, view } = make(t);
      change(bytes, view);
      for (const header of [0x1_0000, 0x2_0000]) sealStructure(bytes, header, 4096);
      sealStructure(bytes, 0x3_0000, 65_536);
      const failure = failureOf(await open(bytes));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
    });
  }

  describe('with a log', () => {
    /** An image whose table of blocks has gone to the log, in as many changes as are asked for, and what they are. */
    function logged(t: TestContext) {
      const made = make(t);
      const table = blockTableOf(made.bytes).offset;
      const page = made.bytes.slice(table, table + 4096);
      made.bytes.fill(0xee, table, table + 4096);
      openLog(made.bytes);
      const fileBytes = made.bytes.length;
      const entry = (sequence: bigint, tail: number, changes: readonly LoggedChange[], more?: Partial<LoggedEntry>) =>
        encodeEntry({ sequence, tail, changes, flushedFileBytes: fileBytes, lastFileBytes: fileBytes, ...more });
      const halfDone = page.slice().fill(0, 8);
      const zeroed: LoggedChange = { offset: table, zeroBytes: 4096 };
      return { ...made, entry, zeroed, whole: { offset: table, page }, half: { offset: table, page: halfDone } };
    }

    async function assertReplayedAsByQemu(workshop: Workshop, bytes: Uint8Array): Promise<void> {
      workshop.write('open.vhdx', bytes);
      workshop.run('check', '-f', 'vhdx', '-r', 'all', 'open.vhdx');
      const expected = workshop.content('open.vhdx', 'vhdx');
      assert.ok(Buffer.from(expected).equals(content), 'QEMU replays the log');
      const file = new ImageFile(bytes.slice());
      const disk = unwrap(await vhdx.open(file, imageFiles([]), zlibCodecs));
      await assertReads(disk, content, 8);
      unwrap(await disk.close());
      assert.ok(file.closed && Buffer.from(file.bytes).equals(bytes), 'the file stays as it was');
    }

    test('an entry is replayed', async (t) => {
      const { workshop, bytes, entry, whole } = logged(t);
      placeEntry(bytes, 0, entry(1n, 0, [whole]));
      await assertReplayedAsByQemu(workshop, bytes);
    });

    test('later entries and later changes win', async (t) => {
      const { workshop, bytes, entry, whole, half, zeroed } = logged(t);
      const start = 12_288;
      const first = [whole, zeroed];
      placeEntry(bytes, start, entry(41n, start, first));
      placeEntry(bytes, start + entryBytes(first), entry(42n, start, [half, whole]));
      await assertReplayedAsByQemu(workshop, bytes);
    });

    test('a sequence goes on at the begin of the log', async (t) => {
      const { bytes, entry, whole, half, zeroed } = logged(t);
      const { bytes: logBytes } = logOf(bytes);
      const start = logBytes - 4096 - entryBytes([half]);
      placeEntry(bytes, start, entry(0xffff_ffffn, start, [half]));
      // This one is torn in two by the end of the log.
      placeEntry(bytes, logBytes - 4096, entry(0x1_0000_0000n, start, [zeroed, half]));
      placeEntry(bytes, 4096, entry(0x1_0000_0001n, start, [whole]));
      await assertReads(unwrap(await open(bytes)), content, 9);
    });

    test('entries of other times and torn ones do not count', async (t) => {
      const { workshop, bytes, entry, whole, half, zeroed } = logged(t);
      const size = entryBytes([whole]);
      placeEntry(bytes, 0, entry(5n, 0, [whole]));
      placeEntry(bytes, size, entry(6n, 0, [half]));
      const { offset } = logOf(bytes);
      bytes[offset + size + 5000] = 0xff;
      placeEntry(bytes, 16 * 4096, entry(99n, 16 * 4096, [zeroed], { guid: new Uint8Array(16).fill(9) }));
      placeEntry(bytes, 32 * 4096, entry(3n, 32 * 4096, [zeroed]));
      // Its first entry is no more.
      placeEntry(bytes, 48 * 4096, entry(77n, 8192, [zeroed]));
      await assertReads(unwrap(await open(bytes)), content, 10);
      bytes.fill(0, offset + 48 * 4096, offset + 50 * 4096); // QEMU takes a sequence without its first entry.
      await assertReplayedAsByQemu(workshop, bytes);
    });

    test('a log grows the file', async (t) => {
      const { bytes, entry, whole } = logged(t);
      const view = new DataView(whole.page.buffer);
      view.setBigUint64(0, (BigInt(bytes.length / mebibyte) << 20n) | 6n, true);
      placeEntry(bytes, 0, entry(1n, 0, [whole], { lastFileBytes: bytes.length + mebibyte }));
      const disk = unwrap(await open(bytes));
      const block = new Uint8Array(mebibyte);
      unwrap(await disk.read(0, block));
      assert.ok(block.every((byte) => byte === 0));
    });

    test('a log without a complete sequence, a cut file and a strange log are refused', async (t) => {
      const { bytes, view, entry, whole } = logged(t);
      assert.match(failureOf(await open(bytes)).message, /log cannot be replayed/);
      placeEntry(bytes, 0, entry(1n, 0, [whole], { flushedFileBytes: bytes.length + 1 }));
      assert.match(failureOf(await open(bytes)).message, /was cut off/);
      const heads = (change: (header: number) => void) => {
        for (const header of [0x1_0000, 0x2_0000]) {
          change(header);
          sealStructure(bytes, header, 4096);
        }
      };
      heads((header) => view.setUint32(header + 68, 0xfff0_0000, true));
      assert.match(failureOf(await open(bytes)).message, /log is not where it can be/);
      heads((header) => view.setUint16(header + 64, 3, true));
      assert.match(failureOf(await open(bytes)).message, /unknown version 3/);
    });

    test('a log made to be slow is read a few times at most', async (t) => {
      const workshop = new Workshop(t);
      workshop.run('create', '-f', 'vhdx', '-o', 'log_size=32M', 'image.vhdx', '1M');
      const bytes = Uint8Array.from(readFileSync(workshop.path('image.vhdx')));
      openLog(bytes);
      const { offset, bytes: logBytes } = logOf(bytes);
      assert.equal(logBytes, 32 * mebibyte);
      // Every sector begins an entry as large as the log, and all of them have a wrong checksum: 256 GiB to look at.
      const lie = encodeEntry({ sequence: 1n, tail: 0, changes: [], flushedFileBytes: 0, lastFileBytes: 0 });
      new DataView(lie.buffer).setUint32(8, logBytes, true);
      for (let at = 0; at < logBytes; at += 4096) bytes.set(lie, offset + at);
      assert.match(failureOf(await open(bytes)).message, /log cannot be replayed/);
    });
  });
});

test('what is no VHDX is refused, however short', async () => {
  for (const length of [0, 1, 7, 8, 4096, mebibyte]) {
    assert.equal(vhdx.probe(new Uint8Array(length)), false);
    assert.equal(failureOf(await open(new Uint8Array(length))).kind, 'corrupt');
  }
  const empty = new Uint8Array(8);
  empty.set(Buffer.from('vhdxfile'));
  assert.match(failureOf(await open(empty)).message, /neither of its headers/);
});
