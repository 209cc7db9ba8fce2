/** Images that QEMU made, against what they were made of. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { fail } from '../../support/result.ts';
import { hostFiles, openHostFile } from '../testing/folder-files.ts';
import { assertReads, dataBytes, unwrap } from '../testing/reading.ts';
import { sparseContent, Workshop, withoutQemuImg } from '../testing/workshop.ts';
import { zlibCodecs } from '../testing/zlib-codecs.ts';
import { importers } from './importers.ts';

const mebibyte = 2 ** 20;

interface Variant {
  readonly format: string;
  readonly qemuFormat: string;
  readonly options: string;
  /** Whether the file has no room for zeroes. */
  readonly isSparse: boolean;
}

const variants: readonly Variant[] = [
  ...['monolithicSparse', 'twoGbMaxExtentSparse', 'streamOptimized'].map((subformat) => ({
    ...{ format: 'vmdk', qemuFormat: 'vmdk', options: `subformat=${subformat}`, isSparse: true },
  })),
  ...['monolithicFlat', 'twoGbMaxExtentFlat'].map((subformat) => ({
    ...{ format: 'vmdk', qemuFormat: 'vmdk', options: `subformat=${subformat}`, isSparse: false },
  })),
  { format: 'vdi', qemuFormat: 'vdi', options: 'static=off', isSparse: true },
  { format: 'vdi', qemuFormat: 'vdi', options: 'static=on', isSparse: false },
  { format: 'vhdx', qemuFormat: 'vhdx', options: 'subformat=dynamic,block_size=1M', isSparse: true },
  {
    format: 'vhdx',
    qemuFormat: 'vhdx',
    options: 'subformat=dynamic,block_size=16M,block_state_zero=off',
    isSparse: true,
  },
  { format: 'vhdx', qemuFormat: 'vhdx', options: 'subformat=fixed', isSparse: false },
  { format: 'vhd', qemuFormat: 'vpc', options: 'subformat=dynamic,force_size=on', isSparse: true },
  { format: 'vhd', qemuFormat: 'vpc', options: 'subformat=fixed,force_size=on', isSparse: false },
];

variants.forEach(({ format, qemuFormat, options, isSparse }, seed) => {
  test(`${format} ${options} reads as its original`, { skip: withoutQemuImg }, async (t) => {
    const workshop = new Workshop(t);
    // Not a multiple of any block, so that the last one is cut.
    const content = sparseContent(51 * mebibyte + 3 * 512, seed + 1);
    content.fill(0, 15 * mebibyte, 33 * mebibyte);
    const path = workshop.image('image', content, '-O', qemuFormat, '-o', options);
    const importer = importers.find(({ name }) => name === format);
    assert.ok(importer !== undefined);
    const header = readFileSync(path).subarray(0, 512);
    const isFixedVhd = options.startsWith('subformat=fixed') && format === 'vhd';
    const probed = importers.filter(({ probe }) => probe(header)).map(({ name }) => name);
    assert.deepEqual(probed, isFixedVhd ? [] : [format]);
    const disk = unwrap(await importer.open(await openHostFile(path), hostFiles, zlibCodecs));
    await assertReads(disk, content, seed);
    if (isSparse) assert.ok((await dataBytes(disk)) < content.length, 'no hole was found');
    const refusal = await disk.write(0, new Uint8Array(512));
    assert.ok(!refusal.ok && refusal.error.kind === 'read-only');
    const beyond = await disk.read(content.length - 1, new Uint8Array(2));
    assert.ok(!beyond.ok && beyond.error.kind === 'range');
    unwrap(await disk.close());
  });
});

for (const [format, qemuFormat, options] of [
  ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['vdi', 'vdi', 'static=off'],
  ['vhdx', 'vhdx', 'block_size=1M'],
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
] as const) {
  test(`${format} ${options} beyond 4 GiB`, { skip: withoutQemuImg }, async (t) => {
    const workshop = new Workshop(t);
    const data = sparseContent(3 * mebibyte, 77).fill(1, 0, 512);
    const [size, place] = [9 * 2 ** 30, 8.5 * 2 ** 30 + 3 * 512];
    const raw = openSync(workshop.path('large.raw'), 'w');
    ftruncateSync(raw, size);
    writeSync(raw, data, 0, data.length, place);
    closeSync(raw);
    workshop.run('convert', '-f', 'raw', '-O', qemuFormat, '-o', options, 'large.raw', 'image');
    const importer = importers.find(({ name }) => name === format);
    const file = await openHostFile(workshop.path('image'));
    const disk = unwrap((await importer?.open(file, hostFiles, zlibCodecs)) ?? fail('unsupported', 'no importer'));
    assert.equal(disk.sizeBytes, size);
    const piece = new Uint8Array(4 * mebibyte);
    unwrap(await disk.read(place - mebibyte / 2, piece));
    const expected = new Uint8Array(piece.length);
    expected.set(data, mebibyte / 2);
    assert.ok(Buffer.from(piece).equals(expected));
    assert.equal(unwrap(await disk.extent(0, size)).kind === 'data', false);
    unwrap(await disk.close());
  });
}
