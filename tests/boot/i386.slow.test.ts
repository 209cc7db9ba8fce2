/** Debian's 32-bit kernel and busybox: translated, and in lockstep with the interpreter. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CpioEntry, writeCpio } from '../../src/host/node/guest/cpio.ts';
import { corbel } from './corbel.ts';
import { busybox32, kernel32, providePackageFile } from './package-file.ts';

const timeoutSeconds = 1800;
const folder = mkdtempSync(join(tmpdir(), 'corbel-i386-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Work that spreads over kernel and user code: processes, pipes, memory, integers. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
uname -sm
grep -c ^processor /proc/cpuinfo
i=0; while [ $i -lt 200 ]; do i=$((i+1)); /bin/true; done; echo $i
cat /bin/busybox /bin/busybox /bin/busybox | gzip | gunzip | sha256sum
poweroff -f
`;

async function writeInitrd(busybox: Uint8Array): Promise<string> {
  const file = (path: string, data: Uint8Array): CpioEntry => ({ kind: 'file', path, mode: 0o755, data });
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc'].map((path): CpioEntry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'character', path: 'dev/console', mode: 0o600, device: [5, 1] },
    file('bin/busybox', busybox),
    file('init', new TextEncoder().encode(init)),
  ];
  const path = join(folder, 'initrd');
  writeFileSync(path, writeCpio(entries));
  return path;
}

for (const accel of ['translate', 'verify']) {
  test(`linux-image-686 works with --accel ${accel}`, { timeout: timeoutSeconds * 1100 }, async () => {
    const kernel = await providePackageFile(kernel32);
    const busybox = readFileSync(await providePackageFile(busybox32));
    const initrd = await writeInitrd(busybox);
    const limits = ['--timeout', String(timeoutSeconds)];
    const guest = ['--kernel', kernel, '--initrd', initrd, '--append', 'console=ttyS0 quiet'];
    const ended = await corbel(['run', ...guest, '--accel', accel, ...limits]);
    const sum = createHash('sha256').update(busybox).update(busybox).update(busybox).digest('hex');
    assert.match(ended.stdout.toString(), new RegExp(`Linux i686\\r?\n1\\r?\n200\\r?\n${sum}`));
    assert.equal(ended.status, 0, ended.stderr);
  });
}
