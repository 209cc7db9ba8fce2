import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grubSectors } from './grub-sectors.ts';

/** A boot.img that would read its core from elsewhere, and from the first hard disk. */
function bootImage(): Uint8Array {
  const bytes = new Uint8Array(512).fill(0x90);
  bytes[0x64] = 0x80;
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function coreImage(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x33);
  bytes.fill(0, 0x1f4, 0x200);
  new DataView(bytes.buffer).setUint16(0x1fc, Math.ceil(length / 512) - 1, true);
  return bytes;
}

test('the sectors name each other', () => {
  const placed = grubSectors(bootImage(), coreImage(1300), 2048);
  assert.ok(placed.ok);
  const { bootCode, core } = placed.value;
  assert.equal(bootCode.length, 440);
  assert.deepEqual([...bootCode.subarray(0x5c, 0x65)], [1, 0, 0, 0, 0, 0, 0, 0, 0xff]);
  assert.equal(core.length, 3 * 512);
  assert.deepEqual([...core.subarray(0x1f4, 0x200)], [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
  assert.deepEqual([...core.subarray(1299, 1302)], [0x33, 0, 0]);
});

test('what is not GRUB, or does not fit, is refused', () => {
  const kinds = [
    grubSectors(new Uint8Array(512), coreImage(1300), 2048),
    grubSectors(bootImage().subarray(1), coreImage(1300), 2048),
    grubSectors(bootImage(), new Uint8Array(1300), 2048),
    grubSectors(bootImage(), new Uint8Array(0), 2048),
    grubSectors(bootImage(), coreImage(1300), 3),
  ].map((result) => (result.ok ? 'ok' : result.error.kind));
  assert.deepEqual(kinds, ['corrupt', 'corrupt', 'corrupt', 'corrupt', 'range']);
});
