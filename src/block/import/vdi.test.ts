import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { ImageFile, imageFiles } from '../testing/image-file.ts';
import { assertReads, failureOf, unwrap } from '../testing/reading.ts';
import { sparseContent, Workshop, withoutQemuImg } from '../testing/workshop.ts';
import { zlibCodecs } from '../testing/zlib-codecs.ts';
import { vdi } from './vdi.ts';

const mebibyte = 2 ** 20;
const open = (bytes: Uint8Array) => vdi.open(new ImageFile(bytes, 'disk.vdi'), imageFiles([]), zlibCodecs);

describe('VDI', { skip: withoutQemuImg }, () => {
  /** An image of three blocks of which the second is not there. */
  function make(t: TestContext) {
    const content = sparseContent(3 * mebibyte, 7);
    content
      .fill(0, mebibyte, 2 * mebibyte)
      .fill(1, 0, 512)
      .fill(1, 2 * mebibyte, 2 * mebibyte + 512);
    const bytes = Uint8Array.from(readFileSync(new Workshop(t).image('image.vdi', content, '-O', 'vdi')));
    return { content, bytes, view: new DataView(bytes.buffer) };
  }

  test('blocks may be in any order, and discarded ones are zeroes', async (t) => {
    const { content, bytes, view } = make(t);
    const map = view.getUint32(0x154, true);
    const [first, third] = [view.getUint32(map, true), view.getUint32(map + 8, true)];
    view.setUint32(map, third, true);
    view.setUint32(map + 4, 0xffff_fffe, true);
    view.setUint32(map + 8, first, true);
    const swapped = Uint8Array.from([
      ...content.subarray(2 * mebibyte),
      ...new Uint8Array(mebibyte),
      ...content.subarray(0, mebibyte),
    ]);
    const disk = unwrap(await open(bytes));
    await assertReads(disk, swapped, 3);
    assert.equal(unwrap(await disk.extent(mebibyte, 2 * mebibyte)).kind, 'zero');
  });

  test('a size that is not whole sectors is rounded up', async (t) => {
    const { bytes, view } = make(t);
    view.setBigUint64(0x170, BigInt(2 * mebibyte + 100), true);
    assert.equal(unwrap(await open(bytes)).sizeBytes, 2 * mebibyte + 512);
  });

  const wrong: readonly [string, 'corrupt' | 'unsupported', RegExp, (view: DataView) => void][] = [
    ['a difference by its type', 'unsupported', /differences to another image/, (v) => v.setUint32(0x4c, 4, true)],
    ['a difference by its parent', 'unsupported', /differences to another image/, (v) => v.setUint8(0x1b8, 1)],
    ['another version', 'unsupported', /version 2\.1/, (v) => v.setUint32(0x44, 0x0002_0001, true)],
    ['a block size that is no power of two', 'corrupt', /block of 1000/, (v) => v.setUint32(0x178, 1000, true)],
    ['a block size of nothing', 'corrupt', /block of 0/, (v) => v.setUint32(0x178, 0, true)],
    ['more disk than blocks', 'corrupt', /3 blocks/, (v) => v.setBigUint64(0x170, 1n << 62n, true)],
    ['a map of 16 GiB', 'corrupt', /map reaches beyond/, (v) => v.setUint32(0x180, 0xffff_ffff, true)],
    ['a map that begins anywhere', 'corrupt', /begin at a sector/, (v) => v.setUint32(0x154, 0x203, true)],
  ];
  for (const [what, kind, message, change] of wrong) {
    test(`${what} is refused`, async (t) => {
      const { bytes, view } = make(t);
      change(view);
      const failure = failureOf(await open(bytes));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
      assert.match(failure.message, /^the image disk\.vdi /);
    });
  }

  test('a cut image reads up to where it ends', async (t) => {
    const { content, bytes } = make(t);
    const disk = unwrap(await open(bytes.subarray(0, bytes.length - mebibyte)));
    const block = new Uint8Array(mebibyte);
    unwrap(await disk.read(0, block));
    assert.deepEqual(Buffer.from(block), Buffer.from(content.subarray(0, mebibyte)));
    assert.equal(failureOf(await disk.read(2 * mebibyte, block)).kind, 'corrupt');
  });
});

test('what is no VDI is refused, however short', async () => {
  for (const length of [0, 1, 67, 68, 511, 4096]) {
    assert.equal(vdi.probe(new Uint8Array(length)), false);
    assert.equal(failureOf(await open(new Uint8Array(length))).kind, 'corrupt');
  }
});
