import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseDiskSpec } from '../../block/disk-spec.ts';
import { ThrottledDisk } from '../../block/throttled-disk.ts';
import { kindOf, messageOf, value } from '../../support/testing/expect.ts';
import { testFolder } from './disk/testing/folder.ts';
import { qemuImg, qemuToolsSkip } from './disk/testing/qemu-tools.ts';
import { openDisk } from './disks.ts';

const path = testFolder();
const open = (text: string) => openDisk(value(parseDiskSpec(text)));
const sector = (byte: number): Uint8Array => new Uint8Array(512).fill(byte);

test('a raw disk', async () => {
  writeFileSync(path('raw'), new Uint8Array(4096));
  const disk = value(await open(`${path('raw')},format=raw`));
  assert.deepEqual([disk.sizeBytes, disk.readOnly], [4096, false]);
  value(await disk.write(512, sector(7)));
  value(await disk.flush());
  assert.equal(readFileSync(path('raw'))[512], 7);
  assert.equal(kindOf(await open(`${path('raw')},format=raw`)), 'in-use');
  value(await disk.close());
  const reader = value(await open(`${path('raw')},format=raw,readonly`));
  assert.equal(kindOf(await reader.write(0, sector(1))), 'read-only');
  value(await reader.close());
});

test('what a guest writes to a snapshot is seen by it and gone afterwards', async () => {
  writeFileSync(path('base'), new Uint8Array(1 << 20).fill(5));
  const first = value(await open(`${path('base')},format=raw,snapshot`));
  // The file below is only read: several may use it so.
  const second = value(await open(`${path('base')},format=raw,snapshot`));
  assert.equal(first.readOnly, false);
  value(await first.write(1000, sector(9)));
  value(await first.writeZeroes(8192, 8192, true));
  value(await first.flush());
  const bytes = new Uint8Array(20_000);
  value(await first.read(0, bytes));
  assert.deepEqual([bytes[999], bytes[1000], bytes[1512], bytes[8191], bytes[8192], bytes[16_384]], [5, 9, 5, 5, 0, 5]);
  value(await second.read(0, bytes));
  assert.ok(bytes.every((byte) => byte === 5));
  value(await first.close());
  value(await second.close());
  assert.ok(readFileSync(path('base')).every((byte) => byte === 5));
});

test('limits make a disk that keeps them', async () => {
  writeFileSync(path('limited'), new Uint8Array(1 << 20));
  const disk = value(await open(`${path('limited')},format=raw,iops=1000,bps=1M`));
  assert.ok(disk instanceof ThrottledDisk);
  // More than the burst: it has to wait, and gets through.
  for (let count = 0; count < 120; count++) value(await disk.read(0, new Uint8Array(512)));
  value(await disk.close());
});

test('a raw disk that was guessed does not become something else', async () => {
  writeFileSync(path('guessed'), new Uint8Array(1 << 20));
  const disk = value(await open(path('guessed')));
  const header = Uint8Array.of(0x51, 0x46, 0x49, 0xfb);
  value(await disk.write(0, sector(1)));
  value(await disk.write(512, header));
  assert.match(messageOf(await disk.write(0, header)), /look like an image of format qcow2; say format=raw/);
  value(await disk.write(0, header.subarray(0, 2)));
  assert.equal(kindOf(await disk.write(2, header.subarray(2))), 'unsupported');
  value(await disk.close());
  assert.equal(readFileSync(path('guessed'))[2], 1);
  const told = value(await open(`${path('guessed')},format=raw`));
  value(await told.write(0, header));
  value(await told.close());
});

test('what cannot be opened is said in a sentence', async () => {
  writeFileSync(path('plain'), new Uint8Array(4096));
  assert.match(messageOf(await open(path('missing'))), /missing cannot be opened: there is no such file\.$/);
  assert.match(
    messageOf(await open(`${path('plain')},format=qcow2`)),
    /does not begin with the header of a qcow2 image/,
  );
  assert.match(messageOf(await open(`${path('plain')},format=zip`)), /no image format zip; known are qcow2, .*, raw/);
  assert.match(messageOf(await open('json:{"driver":"raw"}')), /not supported/);
  // Nothing of that keeps the file open.
  value(await value(await open(`${path('plain')},format=raw`)).close());
});

describe('chains', { skip: qemuToolsSkip() }, () => {
  const create = (name: string, backing: string, format: string | undefined) =>
    qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', backing, ...(format ? ['-F', format] : []), path(name), '1M');

  test('circles are found', async () => {
    await create('a.qcow2', 'b.qcow2', 'qcow2');
    await create('b.qcow2', 'a.qcow2', 'qcow2');
    assert.match(messageOf(await open(`${path('a.qcow2')},readonly`)), /go in circles/);
    await create('self.qcow2', 'self.qcow2', 'qcow2');
    assert.match(messageOf(await open(`${path('self.qcow2')},readonly`)), /go in circles/);
    // The same file by ever new names.
    symlinkSync('.', path('here'));
    await create('loop.qcow2', 'here/loop.qcow2', 'qcow2');
    assert.match(
      messageOf(await open(`${path('loop.qcow2')},readonly`)),
      /more than 100 others|its name is too long|in circles/,
    );
  });

  test('a missing backing file is named', async () => {
    await create('lonely.qcow2', 'gone.raw', 'raw');
    assert.match(messageOf(await open(path('lonely.qcow2'))), /gone\.raw cannot be opened: there is no such file/);
    value(await value(await open(`${path('lonely.qcow2')},format=raw`)).close());
  });

  test("a guest's raw disk below an image that does not know its format cannot name other files", async () => {
    writeFileSync(path('secret'), new Uint8Array(1 << 20).fill(0x55));
    await create('evil.raw', 'secret', 'raw');
    await qemuImg('create', '-q', '-f', 'qcow2', path('victim.qcow2'), '1M');
    await qemuImg('rebase', '-u', '-f', 'qcow2', '-b', 'evil.raw', '-F', 'raw', path('victim.qcow2'));
    const told = value(await open(path('victim.qcow2')));
    value(await told.close());
    const bytes = readFileSync(path('victim.qcow2'));
    // Without the record of the format, as old tools made images.
    const at = bytes.indexOf(Uint8Array.of(0xe2, 0x79, 0x2a, 0xca));
    bytes.writeUInt32BE(0x1234_5678, at);
    writeFileSync(path('victim.qcow2'), bytes);
    assert.match(messageOf(await open(path('victim.qcow2'))), /does not say of which format .*evil\.raw is.*rebase -u/);
    // What names nothing is fine.
    await qemuImg('create', '-q', '-f', 'qcow2', path('evil.raw'), '1M');
    value(await value(await open(path('victim.qcow2'))).close());
  });
});

test('an overlay is gone when the process is, however it ends', async (t) => {
  if (process.platform !== 'linux') return t.skip('looks at /proc');
  writeFileSync(path('kept'), new Uint8Array(1 << 20));
  const program = `
    const { openDisk } = await import(${JSON.stringify(new URL('./disks.ts', import.meta.url).href)});
    const { parseDiskSpec } = await import(${JSON.stringify(new URL('../../block/disk-spec.ts', import.meta.url).href)});
    const disk = (await openDisk(parseDiskSpec(${JSON.stringify(`${path('kept')},format=raw,snapshot`)}).value)).value;
    await disk.write(0, new Uint8Array(1 << 20).fill(1));
    await disk.flush();
    process.kill(process.pid, 'SIGKILL');`;
  const options = { env: { ...process.env, TMPDIR: path('.') }, encoding: 'utf8' } as const;
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program], options);
  assert.equal(signal, 'SIGKILL');
  assert.equal(spawnSync('sh', ['-c', `ls ${path('.')} | grep -c corbel-`], options).stdout, '0\n');
});
