/** A Linux that starts another kernel in its own place, and one that starts again with its processors off line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testFolder } from '../../../src/host/node/disk/testing/folder.ts';
import type { CpioEntry } from '../../../src/host/node/guest/cpio.ts';
import { provideLinuxPackages } from '../../../src/host/node/guest/linux-packages.ts';
import { buildUserland } from '../../../src/host/node/guest/linux-userland.ts';
import { useVmHome } from '../../../src/host/node/vms/testing/vm-home.ts';
import { startLinux } from '../linux-process.ts';
import { loadFunctions, readAccount, showLog } from './guest-load.ts';
import { startNamedLinux } from './named-linux.ts';
import { unpackDisk, writePackageDisk } from './package-disk.ts';

useVmHome();
const file = testFolder();
const options = { timeout: 900_000 };

/** Kernel and userland of the linux guest, which runs `command` there. */
async function secondGuest(command: string): Promise<CpioEntry[]> {
  const packages = await provideLinuxPackages(() => {});
  assert.ok(packages.ok);
  const { kernel, busybox } = packages.value;
  const initrd = buildUserland({ busybox }, { kind: 'command', command });
  return [
    { kind: 'directory', path: 'boot', mode: 0o755 },
    { kind: 'file', path: 'boot/vmlinuz', mode: 0o644, data: kernel },
    { kind: 'file', path: 'boot/initrd', mode: 0o644, data: initrd },
  ];
}

test('kexec: the next kernel has all processors, whatever these were at', options, async () => {
  const disk = file('kexec.img');
  const second = await secondGuest(`grep -o second /proc/cmdline; nproc; ${showLog}`);
  await writePackageDisk(disk, ['kexec-tools'], second);
  const command = `${unpackDisk}
${loadFunctions}
start_load 4
kexec -l /boot/vmlinuz --initrd=/boot/initrd --command-line='console=ttyS0,115200 panic=-1 quiet second' || exit 1
echo first $(nproc)
sleep 2
taskset 4 kexec -e`;
  const ended = await startLinux(['--timeout', '800', '--cpus', '4', '--disk', disk, '--exec', command]).ended;
  const { output, complaints } = readAccount(ended.stdout.toString());
  assert.deepEqual([ended.status, ended.stderr, complaints], [0, '', []]);
  assert.equal(output, 'first 4\nsecond\n4\n');
});

test('a reboot with all processors but one off line brings all of them back', options, async () => {
  const guest = startNamedLinux('parked', ['--cpus', '4']);
  guest.say('for n in 1 2 3; do echo 0 >/sys/devices/system/cpu/cpu$n/online; done');
  guest.say('echo line-$(cat /sys/devices/system/cpu/online)-; reboot');
  await guest.shows('\nline-0-');
  await guest.shows('Linux version');
  guest.say('echo line-$(cat /sys/devices/system/cpu/online)-');
  await guest.shows('\nline-0-3-');
  assert.equal((await guest.end('')).status, 0);
});
