/** An image of Debian from the builder to a login: under QEMU, which says that it boots anywhere, and under Corbel. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { DebianImage } from '../../src/host/node/debian/image-parts.ts';
import { processorSeconds } from '../guest/processor-time.ts';
import { GuestConsole } from './console.ts';
import { buildImage, corbel, freePort, hour, noQemu, reasonToSkip, ssh } from './image.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-debian-'));
after(() => rmSync(folder, { recursive: true }));

/** In lockstep, where a difference ends the machine. */
const leastVerifiedRuns = 100_000;

/** Left alone with drivers that all wait for something, it takes little of a processor; now and then it has housework. */
async function checkIdle(console: GuestConsole): Promise<void> {
  await console.run("systemctl stop '*.timer'; sync");
  const shares: number[] = [];
  for (let n = 0; n < 6; n++) {
    const before = processorSeconds(console.pid);
    await delay(5000);
    shares.push((processorSeconds(console.pid) - before) / 5);
  }
  assert.ok(Math.min(...shares) < 0.04, shares.map((share) => `${(share * 100).toFixed(1)} %`).join(', '));
}

/** What is the same wherever it runs. */
async function checkSystem(console: GuestConsole, port: number): Promise<void> {
  assert.equal(await console.run('systemctl is-system-running --wait'), 'running');
  assert.equal(await console.run('systemctl --failed --no-legend --plain'), '');
  assert.equal(await console.run('hostname'), 'machine');
  assert.match(await console.run('ip -4 -o addr show scope global'), / 10\.0\.2\.15\/24 /);
  assert.match(await console.run('cat /etc/machine-id'), /^[0-9a-f]{32}$/);
  assert.equal(await console.run('ls -1 /etc/ssh/*_key'), '/etc/ssh/ssh_host_ecdsa_key\n/etc/ssh/ssh_host_ed25519_key');
  assert.equal(await console.run('dpkg --audit; dpkg-query -s jq | grep Status'), 'Status: install ok installed');
  assert.match(await console.run('findmnt -n -o SOURCE,FSTYPE /'), /^\/dev\/[a-z0-9]+ +ext4$/);
  assert.equal(await ssh(folder, port, 'whoami; hostname'), 'root\nmachine');
}

describe('an image of Debian', { skip: await reasonToSkip() }, () => {
  const disk = join(folder, 'debian.qcow2');
  let image: DebianImage;

  before(
    () => {
      image = buildImage(folder, disk, ['--hostname', 'machine', '--size', '4G', '--package', 'jq']);
    },
    { timeout: hour },
  );

  test('is whole, and is described beside itself', () => {
    const check = spawnSync('qemu-img', ['check', disk]);
    assert.equal(check.status, 0, check.stderr.toString());
    const { 'virtual-size': size, format } = JSON.parse(
      spawnSync('qemu-img', ['info', '--output=json', disk]).stdout.toString(),
    );
    assert.deepEqual([size, format], [4 * 2 ** 30, 'qcow2']);
    const description = JSON.parse(readFileSync(join(folder, 'debian.json'), 'utf8'));
    assert.equal(description.commandLine, image.commandLine);
    assert.ok(image.packages.some(({ name }) => name === 'linux-image-amd64'));
  });

  test('has a file system in order, with nothing of the host', { timeout: hour }, () => {
    const raw = join(folder, 'raw');
    assert.equal(spawnSync('qemu-img', ['convert', '-O', 'raw', disk, raw]).status, 0);
    const root = `${raw}?offset=${2 ** 20}`;
    const check = spawnSync('e2fsck', ['-f', '-n', root]);
    assert.equal(check.status, 0, check.stdout.toString());
    const cat = (path: string): string => spawnSync('debugfs', ['-R', `cat ${path}`, root]).stdout.toString();
    assert.equal(cat('/etc/machine-id'), '');
    assert.equal(cat('/etc/hostname'), 'machine\n');
    const list = (path: string): string => spawnSync('debugfs', ['-R', `ls ${path}`, root]).stdout.toString();
    assert.doesNotMatch(list('/etc/ssh'), /ssh_host_/);
    assert.doesNotMatch(list('/var/lib/systemd'), /random-seed/);
    assert.doesNotMatch(list('/'), /\.build|debs/);
    for (const path of ['/etc/hosts', '/etc/fstab', '/etc/resolv.conf', '/boot/grub/grub.cfg']) {
      // As a word: a host called "vm" is not in "vmlinuz".
      assert.ok(
        !cat(path)
          .split(/[^\w-]+/)
          .includes(hostname()) || hostname() === 'machine',
        path,
      );
    }
    rmSync(raw);
  });

  test('boots from its disk under QEMU', { timeout: hour, skip: noQemu }, async () => {
    const port = await freePort();
    const console = new GuestConsole([
      ...['qemu-system-x86_64', '-accel', 'tcg', '-m', '1G', '-nographic', '-no-reboot'],
      ...['-drive', `if=virtio,format=qcow2,snapshot=on,file=${disk}`],
      ...['-nic', `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ]);
    try {
      await console.logIn();
      await checkSystem(console, port);
      assert.equal(await console.powerOff(), 0);
    } finally {
      console.kill();
    }
  });

  for (const accel of ['auto', 'verify']) {
    test(`boots with its kernel under Corbel, --accel ${accel}`, { timeout: hour }, async () => {
      const port = await freePort();
      const console = new GuestConsole([
        ...[...corbel, 'run', '--memory', '1G', '--kernel', image.kernel, '--initrd', image.initrd],
        ...['--append', image.commandLine, '--disk', `${disk},snapshot`, '--accel', accel, '--stats', '--json'],
        ...['--net', `user,hostfwd=tcp:127.0.0.1:${port}-:22`, '--vsock', join(folder, 'vsock.sock')],
      ]);
      try {
        await console.logIn();
        await checkSystem(console, port);
        if (accel === 'auto') await checkIdle(console);
        assert.equal(await console.powerOff(), 0);
        const { verifiedRuns } = JSON.parse(await console.errors());
        if (accel === 'verify') assert.ok(verifiedRuns >= leastVerifiedRuns, `compared ${verifiedRuns} runs`);
        else assert.equal(verifiedRuns, undefined);
      } finally {
        console.kill();
      }
    });
  }

  test('boots from its disk under Corbel, keeps what is written, and grows with its disk', {
    timeout: hour,
  }, async () => {
    const own = join(folder, 'own.qcow2');
    const create = ['create', '-q', '-f', 'qcow2', '-b', disk, '-F', 'qcow2', own, '6G'];
    assert.equal(spawnSync('qemu-img', create).status, 0);
    const console = new GuestConsole([...corbel, 'run', '--memory', '1G', '--disk', own]);
    try {
      await console.shows(/SeaBIOS/);
      await console.shows(/GRUB/);
      await console.logIn();
      assert.equal(await console.run('systemctl is-system-running --wait'), 'running');
      assert.match(await console.run('df --output=size -BM / | tail -1'), /^5[5-9][0-9]{2}M$/);
      await console.run('echo kept >/root/kept; sync');
      // A reset starts the same machine again.
      console.type('reboot');
      await console.shows(/SeaBIOS/);
      await console.logIn();
      assert.equal(await console.run('cat /root/kept'), 'kept');
      assert.equal(await console.powerOff(), 0);
    } finally {
      console.kill();
    }
    assert.equal(spawnSync('qemu-img', ['check', own]).status, 0);
  });
});
