import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mbrType } from '../../spec/pc/mbr.ts';
import { type Partition, writeMasterBootRecord } from './master-boot-record.ts';

const linux = (firstSector: number, sectorCount: number, active = false): Partition => ({
  firstSector,
  sectorCount,
  type: mbrType.linux,
  active,
});

function written(partitions: readonly Partition[], code = new Uint8Array(0), signature = 0): Uint8Array {
  const sector = writeMasterBootRecord(code, signature, partitions);
  assert.ok(sector.ok);
  return sector.value;
}

test('the layout is that of the specification', () => {
  const sector = written([linux(2048, 16_775_168, true)], Uint8Array.of(0xeb, 0xfe), 0x1234_5678);
  assert.equal(sector.length, 512);
  assert.deepEqual([...sector.subarray(0, 3)], [0xeb, 0xfe, 0]);
  assert.deepEqual([...sector.subarray(440, 446)], [0x78, 0x56, 0x34, 0x12, 0, 0]);
  // Sector 2048 is cylinder 0, head 32, sector 33 with 63 sectors a track; the last one is beyond cylinder 1023.
  const entry = [0x80, 32, 33, 0, 0x83, 254, 0xff, 0xff, 0, 8, 0, 0, 0, 0xf8, 0xff, 0];
  assert.deepEqual([...sector.subarray(446, 462)], entry);
  assert.ok(sector.subarray(462, 510).every((byte) => byte === 0));
  assert.deepEqual([...sector.subarray(510)], [0x55, 0xaa]);
});

test('cylinders above 255 keep their upper bits beside the sector', () => {
  const sector = written([linux(300 * 255 * 63, 255 * 63)]);
  assert.deepEqual([...sector.subarray(447, 450)], [0, 1 | (1 << 6), 300 - 256]);
  assert.deepEqual([...sector.subarray(451, 454)], [254, 63 | (1 << 6), 300 - 256]);
});

test('what a boot record cannot say is refused', () => {
  const refused = (partitions: readonly Partition[], code = new Uint8Array(0)): string => {
    const result = writeMasterBootRecord(code, 0, partitions);
    assert.ok(!result.ok);
    assert.equal(result.error.kind, 'range');
    return result.error.message;
  };
  assert.match(refused([linux(2048, 0)]), /no sectors/);
  assert.match(refused([linux(0, 8)]), /sector 0 overlaps/);
  assert.match(refused([linux(4096, 8), linux(2048, 2049)]), /sector 4096 overlaps/);
  assert.match(refused([linux(2048, 2 ** 32)]), /2 TiB/);
  assert.match(refused([1, 2, 3, 4, 5].map((n) => linux(n * 8, 8))), /room for 4/);
  assert.match(refused([], new Uint8Array(441)), /441 bytes/);
});

const sfdisk = ['/sbin/sfdisk', '/usr/sbin/sfdisk'].find((path) => {
  try {
    execFileSync(path, ['--version']);
    return true;
  } catch {
    return false;
  }
});

test('sfdisk reads the same table', { skip: sfdisk === undefined && 'sfdisk is not installed (fdisk)' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-mbr-'));
  try {
    const disk = join(folder, 'disk');
    const partitions = [linux(2048, 4096, true), linux(8192, 8192)];
    writeFileSync(disk, Buffer.concat([written(partitions, undefined, 0xdead_beef), new Uint8Array(16384 * 512)]));
    const { partitiontable } = JSON.parse(execFileSync(sfdisk as string, ['--json', disk]).toString());
    assert.equal(partitiontable.id, '0xdeadbeef');
    const read = partitiontable.partitions.map((entry: Record<string, unknown>) => [
      entry.start,
      entry.size,
      entry.type,
      entry.bootable === true,
    ]);
    assert.deepEqual(read, [
      [2048, 4096, '83', true],
      [8192, 8192, '83', false],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
