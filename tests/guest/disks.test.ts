/** The linux guest's own drivers on virtio disks: every byte is compared from outside, where other tools read the files. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startLinux } from './linux-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-disks-'));
after(() => rmSync(folder, { recursive: true }));
const mebibyte = 1 << 20;
const missing = ['mkfs.ext4', 'e2fsck', 'debugfs'].find((tool) => spawnSync(tool, ['-V']).error !== undefined);
const options = { timeout: 300_000, skip: missing === undefined ? false : `${missing} is not installed` };

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const file = (name: string): string => join(folder, name);

test(
  'two disks: raw bytes, ext4 with files from and for this host, a read-only one, random numbers',
  options,
  async () => {
    const raw = randomBytes(5 * mebibyte);
    writeFileSync(file('raw.img'), raw);
    mkdirSync(file('tree'));
    const before = randomBytes(3 * mebibyte);
    writeFileSync(join(file('tree'), 'before'), before);
    execFileSync('mkfs.ext4', ['-q', '-d', file('tree'), file('ext4.img'), '48M']);
    const command = `
md5sum </dev/vda; cat /sys/block/vda/ro /sys/block/vdb/ro /sys/block/vdb/size
echo x 2>/dev/null >/dev/vda && echo wrote to a read-only disk
mkdir /mnt; mount -t ext4 /dev/vdb /mnt && md5sum </mnt/before
cp /mnt/before /mnt/copy; dd if=/dev/vda of=/mnt/raw bs=64k 2>/dev/null; rm /mnt/before
dd if=/mnt/raw bs=7 count=1000 skip=5000 iflag=skip_bytes 2>/dev/null | md5sum
fstrim /mnt; umount /mnt
dd if=/dev/hwrng bs=512 count=1 2>/dev/null | wc -c; cat /sys/class/misc/hw_random/rng_current`;
    const disks = ['--disk', `${file('raw.img')},readonly`, '--disk', file('ext4.img')];
    const { stdout, stderr, status } = await startLinux([...disks, '--exec', command]).ended;
    assert.deepEqual([status, stderr.replace(/^sh: write error.*\n/, '')], [0, '']);
    const lines = stdout.toString().trim().split('\n');
    assert.deepEqual(lines, [
      `${md5(raw)}  -`,
      ...['1', '0', String((48 * mebibyte) / 512)],
      `${md5(before)}  -`,
      `${md5(raw.subarray(5000, 12_000))}  -`,
      ...['512', 'virtio_rng.0'],
    ]);
    assert.ok(readFileSync(file('raw.img')).equals(raw));
    execFileSync('e2fsck', ['-fn', file('ext4.img')], { stdio: 'pipe' });
    for (const [name, content] of [
      ['copy', before],
      ['raw', raw],
    ] as const) {
      execFileSync('debugfs', ['-R', `dump /${name} ${file(name)}`, file('ext4.img')], { stdio: 'pipe' });
      assert.equal(md5(readFileSync(file(name))), md5(content), name);
    }
  },
);
