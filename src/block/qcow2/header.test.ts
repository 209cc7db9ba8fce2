import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qcow2Extension, qcow2Header } from '../../spec/qcow2.ts';
import { kindOf, messageOf, value } from '../../support/testing/expect.ts';
import { MemoryFile } from '../testing/memory-file.ts';
import { noCodecs } from '../testing/no-codecs.ts';
import { createQcow2 } from './create.ts';
import { encodeHeader, type Header, parseHeader, viewOf } from './header.ts';
import { readHeader } from './image.ts';
import { nameBacking } from './layers.ts';
import { Qcow2Disk } from './qcow2-disk.ts';

const header: Header = {
  version: 3,
  clusterBits: 12,
  sizeBytes: 2 ** 30,
  l1Size: 512,
  l1TableOffset: 0x3000,
  refcountTableOffset: 0x1000,
  refcountTableClusters: 1,
  snapshotCount: 2,
  snapshotsOffset: 0x9000,
  incompatible: 0n,
  compatible: 0x8000_0000_0000_0001n,
  autoclear: 6n,
  refcountOrder: 4,
  compressionType: 0,
  furtherFields: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  extensions: [
    { type: 0x1234_5678, data: Uint8Array.of(9, 8, 7) },
    { type: 0x9abc_def0, data: new Uint8Array(0) },
  ],
  backingFile: '../Ünter/base.qcow2',
  backingFormat: 'qcow2',
};

test('what is written is read, with what this program does not know', () => {
  assert.deepEqual(value(parseHeader('image', encodeHeader(header) as Uint8Array)), header);
  const old: Header = {
    ...header,
    version: 2,
    compatible: 0n,
    autoclear: 0n,
    furtherFields: new Uint8Array(0),
    backingFile: undefined,
    backingFormat: undefined,
  };
  assert.deepEqual(value(parseHeader('image', encodeHeader(old) as Uint8Array)), old);
});

test('a header that does not fit its cluster is none', () => {
  assert.equal(encodeHeader({ ...header, clusterBits: 9, backingFile: 'x'.repeat(400) }), undefined);
  assert.equal(encodeHeader({ ...header, backingFile: 'x'.repeat(1024) }), undefined);
  assert.ok(encodeHeader({ ...header, backingFile: 'x'.repeat(1023) }));
});

/** The message for a header with one field changed. */
function refused(offset: number, set: (view: DataView, offset: number) => void): string {
  const bytes = encodeHeader({ ...header, furtherFields: new Uint8Array(0) }) as Uint8Array;
  set(viewOf(bytes), offset);
  return messageOf(parseHeader('disk.qcow2', bytes));
}

test('what contradicts the format is refused with a sentence', () => {
  const u32 = (number: number) => (view: DataView, offset: number) => view.setUint32(offset, number);
  const u64 = (number: bigint) => (view: DataView, offset: number) => view.setBigUint64(offset, number);
  const cases: [number, (view: DataView, offset: number) => void, RegExp][] = [
    [qcow2Header.magic, u32(0), /does not begin with the header/],
    [qcow2Header.version, u32(1), /version 1 of qcow2, known are 2 and 3/],
    [qcow2Header.clusterBits, u32(8), /2\^8 bytes/],
    [qcow2Header.clusterBits, u32(0xffff_ffff), /2\^4294967295 bytes/],
    [qcow2Header.size, u64(2n ** 63n), /too large/],
    [qcow2Header.size, u64(2n ** 31n), /L1 table is too small/],
    [qcow2Header.cryptMethod, u32(1), /encrypted \(AES\)/],
    [qcow2Header.cryptMethod, u32(2), /encrypted \(LUKS\)/],
    [qcow2Header.l1Size, u32(0x1000_0000), /larger than 32 MiB/],
    [qcow2Header.l1TableOffset, u64(0x3008n), /L1 table is misplaced/],
    [qcow2Header.l1TableOffset, u64(2n ** 60n), /L1 table is misplaced/],
    [qcow2Header.refcountTableOffset, u64(0n), /refcount table is misplaced/],
    [qcow2Header.refcountTableClusters, u32(0), /no refcount table/],
    [qcow2Header.refcountTableClusters, u32(0xffff_ffff), /larger than 8 MiB/],
    [qcow2Header.snapshotCount, u32(65_537), /more than 65536 snapshots/],
    [qcow2Header.snapshotsOffset, u64(0x9001n), /snapshot table is misplaced/],
    [qcow2Header.refcountOrder, u32(7), /refcounts have 2\^7 bits/],
    [qcow2Header.headerLength, u32(96), /length is wrong/],
    [qcow2Header.headerLength, u32(109), /length is wrong/],
    [qcow2Header.headerLength, u32(0xffff_fff8), /length is wrong/],
    [qcow2Header.backingFileOffset, u64(4n), /lies outside the header/],
    [qcow2Header.backingFileSize, u32(5000), /lies outside the header/],
    [qcow2Header.compressionType, (view, offset) => view.setUint8(offset, 1), /contradict each other/],
    [qcow2Header.incompatibleFeatures, u64(4n), /separate raw file/],
    [qcow2Header.incompatibleFeatures, u64(8n), /contradict each other/],
    [qcow2Header.incompatibleFeatures, u64(1n << 40n), /feature 40, which this program does not have/],
  ];
  for (const [offset, set, pattern] of cases) {
    const message = refused(offset, set);
    assert.match(message, pattern);
    assert.match(message, /^the image disk\.qcow2 [^\n]+\.$/);
  }
  const cut = (encodeHeader(header) as Uint8Array).subarray(0, 50);
  assert.equal(kindOf(parseHeader('image', cut)), 'corrupt');
  const bytes = encodeHeader(header) as Uint8Array;
  viewOf(bytes).setUint32(124, 0x7fff_ffff);
  assert.match(messageOf(parseHeader('image', bytes)), /extension is longer/);
});

test('an unknown feature is called what the image calls it, unless that is no text', async () => {
  const file = new MemoryFile('image');
  await createQcow2(file, noCodecs, { sizeBytes: 0 });
  const bytes = file.bytes();
  const table = bytes.findIndex((_, at) => viewOf(bytes).getUint32(at) === qcow2Extension.featureNames) + 8;
  viewOf(bytes).setBigUint64(qcow2Header.incompatibleFeatures, 0x20n);
  bytes[table + 4 * 48 + 1] = 5;
  assert.match(messageOf(parseHeader('image', bytes)), /needs the feature "extended L2 entries", which/);
  bytes[table + 4 * 48 + 2] = 0x1b;
  assert.match(messageOf(parseHeader('image', bytes)), /needs feature 5, which/);
});

test('another backing file leaves the rest of the header alone', async () => {
  const file = new MemoryFile('image');
  const image = value(
    await createQcow2(file, noCodecs, { sizeBytes: 1 << 20, backingFile: 'a', backingFormat: 'raw' }),
  );
  const before = value(await readHeader(file));
  value(await nameBacking(new Qcow2Disk(image), 'another', 'qcow2'));
  assert.deepEqual(value(await readHeader(file)), { ...before, backingFile: 'another', backingFormat: 'qcow2' });
  assert.equal(kindOf(await nameBacking(new Qcow2Disk(image), 'x'.repeat(2000), 'qcow2')), 'unsupported');
  value(await nameBacking(new Qcow2Disk(image), undefined, undefined));
  const { backingFile, backingFormat } = value(await readHeader(file));
  assert.deepEqual([backingFile, backingFormat], [undefined, undefined]);
});
