/** `corbel stop` presses a button that Linux's own driver and busybox's acpid know. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { extractFile, PackageLists } from '../../src/host/node/guest/apt.ts';
import { type CpioEntry, writeCpio } from '../../src/host/node/guest/cpio.ts';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { consoleLogFile } from '../../src/host/node/vms/console-log.ts';
import { findVm } from '../../src/host/node/vms/registry.ts';
import { useVmHome } from '../../src/host/node/vms/testing/vm-home.ts';
import { vmStateFolder } from '../../src/host/node/vms/vm-folders.ts';
import { corbel } from './corbel.ts';

const home = useVmHome();

/** The kernel and the modules that go with it, from one package. */
const wanted = ['./boot/vmlinuz-*', '*/drivers/acpi/button.ko*', '*/drivers/input/evdev.ko*'];

async function extractAll(folder: string): Promise<Uint8Array[]> {
  mkdirSync(folder, { recursive: true });
  for (const lists of [{ ok: true as const, value: PackageLists.ofHost(folder) }, await PackageLists.fetch(folder)]) {
    if (!lists.ok) continue;
    const meta = await lists.value.find('linux-image-cloud-amd64');
    const image = /\blinux-image-[0-9][^ ,|(:]*/.exec(meta?.depends ?? '');
    const record = image === null ? undefined : await lists.value.find(image[0]);
    const archive = record === undefined ? undefined : await lists.value.download(record);
    if (archive?.ok !== true) continue;
    const files = await Promise.all(wanted.map((pattern) => extractFile(archive.value, pattern, folder)));
    return files.map((file) => (file.ok ? file.value : assert.fail(file.error.message)));
  }
  return assert.fail("the host's package sources have no linux-image-cloud-amd64");
}

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
insmod /evdev.ko
insmod /button.ko
acpid -f &
until ls -l /proc/$!/fd | grep -q input/event; do sleep 1; done
echo "listening"
wait
`;
const onPress = '#!/bin/sh\necho "the button was pressed" >/dev/console\npoweroff -f\n';

test('a Linux with acpid powers off when it is asked to', { timeout: 600_000 }, async () => {
  const [kernel, button, evdev] = (await extractAll(join(home, 'fetch'))) as [Uint8Array, Uint8Array, Uint8Array];
  const packages = await provideLinuxPackages(() => {});
  assert.ok(packages.ok);
  const file = (path: string, mode: number, data: Uint8Array): CpioEntry => ({ kind: 'file', path, mode, data });
  const folder = (path: string): CpioEntry => ({ kind: 'directory', path, mode: 0o755 });
  const initrd = writeCpio([
    ...['bin', 'dev', 'etc', 'etc/acpi', 'etc/acpi/PWRF', 'var', 'var/log', 'var/run'].map(folder),
    { kind: 'character', path: 'dev/console', mode: 0o600, device: [5, 1] },
    file('bin/busybox', 0o755, packages.value.busybox),
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    file('button.ko', 0o644, button),
    file('evdev.ko', 0o644, evdev),
    file('init', 0o755, Buffer.from(init)),
    file('etc/acpi/PWRF/00000080', 0o755, Buffer.from(onPress)),
  ]);
  writeFileSync(join(home, 'kernel'), kernel);
  writeFileSync(join(home, 'initrd'), initrd);
  const images = ['--kernel', join(home, 'kernel'), '--initrd', join(home, 'initrd')];
  const started = await corbel(['run', '--detach', '--name', 'acpi', ...images, '--append', 'console=ttyS0 panic=-1']);
  assert.equal(started.status, 0, started.stderr);
  const shown = (): string => readFileSync(consoleLogFile(vmStateFolder('acpi')), 'latin1');
  while (!/listening/.test(shown())) await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal((await corbel(['stop', '--timeout', '120', 'acpi'])).status, 0);
  const vm = findVm('acpi');
  assert.ok(vm.ok);
  assert.equal(vm.value.outcome?.kind, 'power-off', shown().slice(-1000));
  assert.match(shown().slice(-1000), /the button was pressed/);
});
