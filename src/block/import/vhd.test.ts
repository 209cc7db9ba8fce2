import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { ImageFile, imageFiles } from '../testing/image-file.ts';
import { assertReads, failureOf, unwrap } from '../testing/reading.ts';
import { sparseContent, Workshop, withoutQemuImg } from '../testing/workshop.ts';
import { zlibCodecs } from '../testing/zlib-codecs.ts';
import { vhd } from './vhd.ts';

const mebibyte = 2 ** 20;
const open = (bytes: Uint8Array) => vhd.open(new ImageFile(bytes, 'disk.vhd'), imageFiles([]), zlibCodecs);

/** Writes the checksum that a footer or header of `length` bytes at `at` should have. */
function seal(bytes: Uint8Array, at: number, length: number, field: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(at + field, 0);
  view.setUint32(at + field, ~bytes.subarray(at, at + length).reduce((sum, byte) => sum + byte, 0) >>> 0);
}

describe('VHD', { skip: withoutQemuImg }, () => {
  const content = sparseContent(5 * mebibyte, 11).fill(1, 0, 512);

  function make(t: TestContext, options: string) {
    const path = new Workshop(t).image('image.vhd', content, '-O', 'vpc', '-o', options);
    const bytes = Uint8Array.from(readFileSync(path));
    return { bytes, view: new DataView(bytes.buffer) };
  }

  test('without a forced size QEMU and Virtual PC go by the geometry', async (t) => {
    const workshop = new Workshop(t);
    const path = workshop.image('image.vhd', content, '-O', 'vpc');
    const expected = workshop.content('image.vhd', 'vpc');
    assert.ok(expected.length > content.length);
    await assertReads(unwrap(await open(Uint8Array.from(readFileSync(path)))), expected, 1);
  });

  test('the copy of the footer serves where the footer was lost', async (t) => {
    const { bytes } = make(t, 'force_size=on');
    await assertReads(unwrap(await open(bytes.subarray(0, bytes.length - 512))), content, 2);
  });

  const wrong: readonly [string, 'corrupt' | 'unsupported', RegExp, (view: DataView) => void][] = [
    ['a difference', 'unsupported', /differences to another image/, (v) => v.setUint32(60, 4)],
    ['another version', 'unsupported', /version 2/, (v) => v.setUint16(12, 2)],
    ['an unknown type', 'unsupported', /type 9/, (v) => v.setUint32(60, 9)],
    ['a header beyond the end', 'corrupt', /header lies beyond/, (v) => v.setBigUint64(16, 1n << 63n)],
    ['a disk larger than its table', 'corrupt', /blocks are fewer/, (v) => v.setBigUint64(48, 1n << 60n)],
    ['a block of nothing', 'corrupt', /block of 0/, (v) => v.setUint32(512 + 32, 0)],
    ['a table of 16 GiB', 'corrupt', /table reaches beyond/, (v) => v.setUint32(512 + 28, 0xffff_ffff)],
    ['a table that begins anywhere', 'corrupt', /begin at a sector/, (v) => v.setBigUint64(512 + 16, 1537n)],
  ];
  for (const [what, kind, message, change] of wrong) {
    test(`${what} is refused`, async (t) => {
      const { bytes, view } = make(t, 'force_size=on');
      bytes.fill(0, bytes.length - 512); // The copy at the begin is what counts now.
      change(view);
      seal(bytes, 0, 512, 64);
      seal(bytes, 512, 1024, 36);
      const failure = failureOf(await open(bytes));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, message);
    });
  }

  test('checksums are checked', async (t) => {
    const { bytes, view } = make(t, 'force_size=on');
    bytes.fill(0, bytes.length - 512);
    view.setUint8(100, 1);
    assert.match(failureOf(await open(bytes)).message, /checksum of its footer/);
    seal(bytes, 0, 512, 64);
    view.setUint8(512 + 700, 1);
    assert.match(failureOf(await open(bytes)).message, /checksum of its dynamic header/);
  });

  test('a cut fixed image is refused', async (t) => {
    const { bytes } = make(t, 'subformat=fixed,force_size=on');
    const cut = new Uint8Array(mebibyte);
    cut.set(bytes.subarray(-512), mebibyte - 512);
    assert.match(failureOf(await open(cut)).message, /ends before its 5242880 bytes/);
  });
});

test('what is no VHD is refused, however short', async () => {
  for (const length of [0, 1, 511, 512, 4096]) {
    assert.equal(vhd.probe(new Uint8Array(length)), false);
    assert.equal(failureOf(await open(new Uint8Array(length))).kind, 'corrupt');
  }
});
