/** The linux guest's own drivers on the other virtio devices, and on disks in ways that take longer. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Running } from '../../src/cli/testing/corbel-process.ts';
import { startLinux, startLinuxOnTerminal } from './linux-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-virtio-'));
const file = (name: string): string => join(folder, name);
/** A file system that gets full. */
const small = file('small');
mkdirSync(small);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'corbel', small]).status === 0;
after(() => {
  if (mounted) execFileSync('umount', [small]);
  rmSync(folder, { recursive: true });
});
const options = { timeout: 300_000 };

/** Waits for `condition`, or for the end of the guest. */
async function until(condition: () => boolean, { child }: Running): Promise<void> {
  while (!condition() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('hvc0 into a file, and a port with a name as a socket, both ways and byte for byte', options, async () => {
  const blob = randomBytes(300_000);
  const command = `
for i in $(seq 2000); do echo "line $i"; done >/dev/hvc0
port=$(grep -l '^org.example.test$' /sys/class/virtio-ports/*/name); port=/dev/$(basename $(dirname $port))
exec 5<>$port; head -c ${blob.length} <&5 >/tmp/blob; cat /tmp/blob >&5; wc -c </tmp/blob
read -r line <&5; echo "$line"`;
  const args = ['--virtio-console', `file:${file('hvc')}`, '--port', `org.example.test=${file('socket')}`];
  const running = startLinux([...args, '--exec', command]);
  await until(() => existsSync(file('socket')), running);
  const client = createConnection(file('socket'));
  client.write(blob);
  const pieces: Buffer[] = [];
  let received = 0;
  client.on('data', (bytes: Buffer) => {
    pieces.push(bytes);
    received += bytes.length;
    if (received === blob.length) client.write('enough\n');
  });
  const { stdout, stderr, status } = await running.ended;
  assert.deepEqual([status, stderr, stdout.toString()], [0, '', `${blob.length}\nenough\n`]);
  assert.ok(Buffer.concat(pieces).equals(blob));
  const lines = readFileSync(file('hvc'), 'latin1').split('\r\n');
  assert.deepEqual([lines.length, lines[0], lines[1999]], [2001, 'line 1', 'line 2000']);
  assert.equal(existsSync(file('socket')), false);
});

test('a shell on hvc0: keys, job control, the size of the window', options, async () => {
  const terminal = startLinuxOnTerminal(['--virtio-console', 'stdio']);
  await terminal.type('', /# /);
  await terminal.type('tty; echo right-$((2+3))\r', /\/dev\/hvc0\r\nright-5\r\n/);
  await terminal.type('stty size\r', /\n40 100\r\n/);
  await terminal.type("sh -c 'echo go; exec sleep 1000'\r", /\ngo\r\n/);
  await terminal.type('\x03', /# /);
  await terminal.type('exit\r', /./);
  assert.equal(await terminal.status, 0);
});

test('a balloon: the guest shrinks, and what it has free goes back to this host', options, async () => {
  const command = `
dd if=/dev/zero of=/dev/shm/filler bs=1M count=300 2>/dev/null; echo full; read -r line; rm /dev/shm/filler
echo empty; read -r line; free -m | awk '/^Mem/ { print $2 - $3 }'`;
  const running = startLinux(['--memory', '768M', '--balloon', '640M', '--stats', '--json', '--exec', command], 'open');
  const { child, ended } = running;
  const residentKib = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]);
  let output = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  await until(() => output.includes('full'), running);
  const full = residentKib();
  child.stdin?.write('go\n');
  await until(() => output.includes('empty'), running);
  // The guest reports what has been free for a few seconds, where 2 MiB are: of 300 MiB, 208 to 253 in five runs.
  await until(() => residentKib() < full - 180 * 1024, running);
  child.stdin?.end('go\n');
  const { status, stderr, stdout } = await ended;
  assert.equal(status, 0);
  const available = Number(stdout.toString().trim().split('\n').at(-1));
  assert.ok(available > 450 && available < 640, `${available} MiB of 640 are not used`);
  const statistics = JSON.parse(stderr) as Record<string, number>;
  assert.equal(statistics.balloonBytes, 128 << 20);
  assert.ok((statistics.guestFreeBytes ?? 0) > 0 && (statistics.guestFreeBytes ?? 0) < 640 << 20);
});

test('many requests of several readers and writers at once, with and without the page cache', options, async () => {
  const size = 24 << 20;
  const bytes = randomBytes(size);
  writeFileSync(file('many.img'), bytes);
  const command = `
for n in 0 1 2 3 4 5; do
  dd if=/dev/vda bs=4k skip=$((n * 1024)) count=1024 iflag=direct of=/tmp/$n 2>/dev/null &
done; wait; cat /tmp/0 /tmp/1 /tmp/2 /tmp/3 /tmp/4 /tmp/5 | cmp - /dev/vda && echo same
for n in 0 1 2 3 4 5; do
  dd if=/tmp/$((5 - n)) of=/dev/vda bs=16k seek=$((n * 256)) oflag=direct conv=notrunc 2>/dev/null &
done; wait; sync`;
  const { stdout, status } = await startLinux(['--disk', file('many.img'), '--exec', command]).ended;
  assert.deepEqual([status, stdout.toString()], [0, 'same\n']);
  const piece = 4 << 20;
  const turned = Buffer.concat([5, 4, 3, 2, 1, 0].map((n) => bytes.subarray(n * piece, (n + 1) * piece)));
  assert.ok(readFileSync(file('many.img')).equals(turned));
});

const needsMount = mounted ? false : 'mounting a small file system takes root';

test('a full host: the guest stands still, and goes on when there is room', {
  ...options,
  skip: needsMount,
}, async () => {
  const image = join(small, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 32 << 20);
  const command = `
dd if=/dev/urandom of=/tmp/blob bs=1M count=16 2>/dev/null; md5sum </tmp/blob
dd if=/tmp/blob of=/dev/vda bs=1M conv=fsync 2>/dev/null; echo $?; dmesg | grep -c -i "i/o error"`;
  const running = startLinux(['--disk', image, '--exec', command]);
  const { child, ended } = running;
  let errors = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  await until(() => errors.includes('paused'), running);
  execFileSync('mount', ['-o', 'remount,size=64m', small]);
  const { stdout, stderr, status } = await ended;
  assert.equal(status, 1, 'of grep, which finds no error');
  const written = createHash('md5')
    .update(readFileSync(image).subarray(0, 16 << 20))
    .digest('hex');
  assert.equal(stdout.toString(), `${written}  -\n0\n0\n`);
  assert.match(
    stderr,
    /^corbel: there is no room for what the guest writes to .*; it is paused until there is\.\ncorbel: there is room again; the guest goes on\.\n$/,
  );
});
