/** The bench's userland, once as an initramfs for machines and once as a folder to run natively in. */
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/host/node/guest/command.ts';
import { type CpioEntry, writeCpio } from '../../src/host/node/guest/cpio.ts';
import { initScript as linuxInitScript } from '../../src/host/node/guest/scripts.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';
import type { Workload } from '../workloads.ts';
import { textInput } from './input.ts';
import type { PackageSource } from './packages.ts';
import { initScript, serveScript, sessionScript } from './scripts.ts';

export interface Image {
  /** Paths of files. */
  readonly kernel: string;
  readonly initrd: string;
  /** The same userland as a folder. */
  readonly root: string;
  readonly memoryMb: number;
}

/** A guest of `npm start` has as much. */
const memoryMb = 512;
const programFolder = fileURLToPath(new URL('programs', import.meta.url));

function file(path: string, data: Uint8Array | string, mode = 0o755): CpioEntry {
  return { kind: 'file', path, mode, data: typeof data === 'string' ? new TextEncoder().encode(data) : data };
}

function baseEntries(busybox: Uint8Array): CpioEntry[] {
  const folders = ['bin', 'dev', 'etc', 'root', 'run', 'proc', 'bench', 'corbel'];
  return [
    ...folders.map((path): CpioEntry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'character', path: 'dev/console', mode: 0o600, device: [5, 1] },
    file('bin/busybox', busybox),
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    file('init', initScript),
    file('etc/inittab', 'ttyS0::once:/bench/session\n'),
    file('etc/passwd', 'root::0:0:root:/root:/bin/sh\n'),
    file('bench/boot', linuxInitScript),
    // No modules and no network cards.
    file('corbel/modules', ''),
    file('corbel/network', ''),
    file('bench/session', sessionScript),
    file('bench/serve', serveScript),
  ];
}

/** What one workload needs in the guest; a failure says why it cannot run. */
export async function workloadEntries(workload: Workload, source: PackageSource): Promise<Result<CpioEntry[]>> {
  const folder = `bench/${workload.name}`;
  const entries: CpioEntry[] = [
    { kind: 'directory', path: folder, mode: 0o755 },
    file(`${folder}/prepare`, `${workload.prepare ?? ':'}\n`),
    file(`${folder}/command`, `${workload.command}\n`),
  ];
  if (workload.inputBytes !== undefined) entries.push(file(`${folder}/input`, textInput(workload.inputBytes), 0o644));
  if (workload.program !== undefined) {
    const code = join(programFolder, workload.program);
    // To standard output, which is a pipe, the linker cannot write.
    const build = 'f=$(mktemp) && gcc -O2 -static -o "$f" "$0" -lm && cat "$f"; s=$?; rm -f "$f"; exit $s';
    const built = await runCommand(['sh', '-c', build, code], programFolder);
    if (!built.ok) return fail('unavailable', `gcc did not build ${workload.program}: ${built.message.split('\n')[0]}`);
    entries.push(file(`${folder}/program`, built.stdout));
  }
  if (workload.packages !== undefined) {
    const files = await source.entries(workload.packages);
    if (!files.ok) return files;
    entries.push(...files.value);
  }
  return ok(entries);
}

/** Writes kernel, initramfs and folder below `folder`. Of entries with the same path the first counts. */
export async function writeImage(
  folder: string,
  packages: { readonly kernel: Uint8Array; readonly busybox: Uint8Array },
  more: readonly CpioEntry[],
): Promise<Image> {
  const byPath = new Map<string, CpioEntry>();
  for (const entry of [...baseEntries(packages.busybox), ...more]) {
    if (!byPath.has(entry.path)) byPath.set(entry.path, entry);
  }
  const entries = [...byPath.values()];
  const image = {
    kernel: join(folder, 'kernel'),
    initrd: join(folder, 'initrd'),
    root: join(folder, 'root'),
    memoryMb,
  };
  await mkdir(image.root, { recursive: true });
  await writeFile(image.kernel, packages.kernel);
  await writeFile(image.initrd, writeCpio(entries));
  for (const entry of entries) await writeEntry(image.root, entry);
  return image;
}

async function writeEntry(root: string, entry: CpioEntry): Promise<void> {
  const path = join(root, entry.path);
  switch (entry.kind) {
    case 'directory':
      await mkdir(path, { recursive: true });
      return;
    case 'link':
      await symlink(entry.target, path);
      return;
    case 'file':
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, entry.data);
      await chmod(path, entry.mode);
      return;
    case 'character': // The native runner has the host's /dev.
      return;
  }
}
