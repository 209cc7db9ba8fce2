/** The kernel modules of the linux guest: those that its virtio devices need, out of the kernel's own package. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { virtioDeviceId } from '../../../spec/virtio/virtio.ts';
import { runCommand } from './command.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';

/** What every virtio device needs, in the order of loading. A kernel may have any of it built in. */
const transportModules = ['virtio_ring', 'virtio', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci'];

const deviceModules: Readonly<Record<number, readonly string[]>> = {
  [virtioDeviceId.network]: ['failover', 'net_failover', 'virtio_net'],
  [virtioDeviceId.block]: ['virtio_blk'],
  [virtioDeviceId.console]: ['virtio_console'],
  [virtioDeviceId.entropy]: ['virtio-rng'],
  [virtioDeviceId.balloon]: ['virtio_balloon'],
  [virtioDeviceId.fileSystem9p]: ['netfs', 'fscache', '9pnet', '9pnet_virtio', '9p'],
  [virtioDeviceId.socket]: ['vsock', 'vmw_vsock_virtio_transport_common', 'vmw_vsock_virtio_transport'],
};

/** Where the guest finds them. */
const moduleFolder = 'lib/corbel';

/** The modules for devices with these IDs, in the order of loading. */
export function modulesFor(deviceIds: readonly number[]): string[] {
  if (deviceIds.length === 0) return [];
  return [...new Set([...transportModules, ...deviceIds.flatMap((id) => deviceModules[id] ?? [])])];
}

/** An archive of all modules that a package holds of those above; it is empty if it holds none. */
export async function archiveModules(packageFiles: readonly string[], folder: string): Promise<Uint8Array> {
  const names = modulesFor(Object.keys(deviceModules).map(Number));
  const patterns = names.map((name) => `*/kernel/*/${name}.ko*`);
  const target = join(folder, 'modules');
  await mkdir(target, { recursive: true });
  for (const packageFile of packageFiles) {
    // A pattern that matches nothing makes tar fail after it has unpacked the others.
    await runCommand(['tar', '-x', '-C', target, '--wildcards', ...patterns], folder, [
      'dpkg-deb',
      '--fsys-tarfile',
      packageFile,
    ]);
  }
  const found = await readdir(target, { recursive: true });
  const entries: CpioEntry[] = ['lib', moduleFolder].map((path) => ({ kind: 'directory', path, mode: 0o755 }));
  for (const path of found.sort()) {
    const name = /^(.+\.ko)(\.[a-z]+)?$/.exec(basename(path))?.[1];
    if (name === undefined) continue;
    const data = await plain(join(target, path), folder);
    if (data !== undefined) entries.push({ kind: 'file', path: `${moduleFolder}/${name}`, mode: 0o644, data });
  }
  return writeCpio(entries);
}

/** The module itself; distributions compress them in different ways. */
async function plain(path: string, folder: string): Promise<Uint8Array | undefined> {
  if (path.endsWith('.ko')) return readFile(path);
  if (path.endsWith('.gz')) return gunzipSync(await readFile(path));
  if (path.endsWith('.zst')) return zstdDecompressSync(await readFile(path));
  const unpacked = await runCommand(['xz', '-dc', path], folder);
  return unpacked.ok ? unpacked.stdout : undefined;
}
