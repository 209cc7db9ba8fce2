import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { createImage } from '../../src/block/create-image.ts';
import { openImage } from '../../src/block/open-image.ts';
import { nodeCodecs } from '../../src/host/node/disk/codecs.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuImg, qemuToolsSkip } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { kindOf, value } from '../../src/support/testing/expect.ts';

const mebibyte = 2 ** 20;
const path = testFolder();
writeFileSync(path('medium'), new Uint8Array(8 * mebibyte).fill(0xdb));
const attached = spawnSync('losetup', ['-f', '--show', path('medium')], { encoding: 'utf8' });
const device = attached.status === 0 ? attached.stdout.trim() : '';
after(() => {
  if (device !== '') spawnSync('losetup', ['-d', device]);
});
const why = attached.error?.message ?? attached.stderr;
const skip = qemuToolsSkip() || (device === '' && `a block device cannot be made here: ${why}`);
const host = nodeImageHost();

test('a raw disk on a block device', { skip }, async () => {
  const { disk } = value(await openImage(host, device, { format: 'raw', readOnly: false }));
  assert.equal(disk.sizeBytes, 8 * mebibyte);
  value(await disk.write(4096, new Uint8Array(100).fill(1)));
  value(await disk.writeZeroes(mebibyte, mebibyte, true));
  value(await disk.flush());
  const bytes = new Uint8Array(2 * mebibyte);
  value(await disk.read(0, bytes));
  assert.deepEqual(
    [bytes[4095], bytes[4096], bytes[4196], bytes[mebibyte - 1], bytes[mebibyte]],
    [0xdb, 1, 0xdb, 0xdb, 0],
  );
  assert.equal(kindOf(await disk.resize(9 * mebibyte)), 'unsupported');
  value(await disk.close());
});

test('a qcow2 image on a block device with something else on it', { skip }, async () => {
  const sizeBytes = 6 * mebibyte;
  const file = value(await host.files.create(device));
  const request = { format: 'qcow2', sizeBytes, options: new Map<string, string>() };
  const disk = value(await createImage(file, nodeCodecs, request));
  const expected = new Uint8Array(sizeBytes);
  for (const at of [5000, 70_000, 3 * mebibyte]) {
    expected.fill(7, at, at + 3000);
    value(await disk.write(at, new Uint8Array(3000).fill(7)));
  }
  value(await disk.close());
  await qemuImg('check', '-q', '-f', 'qcow2', device);
  writeFileSync(path('expected'), expected);
  await qemuImg('compare', '-q', '-f', 'qcow2', '-F', 'raw', device, path('expected'));
});

test('an image that the device has no room for', { skip }, async () => {
  const file = value(await host.files.create(device));
  const request = { format: 'qcow2', sizeBytes: 20 * mebibyte, options: new Map<string, string>() };
  const disk = value(await createImage(file, nodeCodecs, request));
  const piece = new Uint8Array(mebibyte).fill(3);
  let written = 0;
  let full = false;
  while (!full) {
    const result = await disk.write(written * mebibyte, piece);
    full = !result.ok;
    if (!result.ok) assert.equal(result.error.kind, 'no-space');
    else written++;
  }
  assert.ok(written >= 6 && written < 8, String(written));
  // What there is room for is kept; room that is given back can be used.
  value(await disk.discard(0, mebibyte));
  value(await disk.flush());
  value(await disk.write(10 * mebibyte, piece.subarray(0, 65_536)));
  value(await disk.close());
  await qemuImg('check', '-q', '-f', 'qcow2', device);
});
