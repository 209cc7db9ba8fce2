/** Files of the distribution's packages, for guests of these tests: fetched once, cached beside the linux guest. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../src/host/node/cache-folder.ts';
import { extractFile, PackageLists, type PackageRecord } from '../../src/host/node/guest/apt.ts';
import { FileCache } from '../../src/host/node/guest/cache.ts';
import { fail, type Result } from '../../src/support/result.ts';

export interface PackageFile {
  readonly package: string;
  /** The host's own lists are of its own. */
  readonly architecture?: 'i386';
  /** The package only depends on the one that holds the file, whose name begins with this. */
  readonly holder?: string;
  /** Path in the archive, as tar's --wildcards understands it. */
  readonly pattern: string;
}

/** @returns where the file is. @throws Error that says why it cannot be had */
export async function providePackageFile(wanted: PackageFile): Promise<string> {
  const named = wanted.architecture === undefined ? wanted.package : `${wanted.package}-${wanted.architecture}`;
  const cache = new FileCache(join(cacheFolder(), 'tests', named));
  const path = join(cache.folder, 'file');
  if ((await cache.load(['file'])) !== undefined) return path;
  const folder = join(cache.folder, `fetch-${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    const file = await fetchFile(wanted, folder);
    if (!file.ok) throw new Error(`${wanted.package} is needed for this test: ${file.error.message}`);
    await cache.store([{ name: 'file', bytes: file.value }]);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By the host's own package lists; by fresh ones where those are missing or older than the archive. */
async function fetchFile(wanted: PackageFile, folder: string): Promise<Result<Uint8Array>> {
  if (wanted.architecture === undefined) {
    const found = await extractFrom(PackageLists.ofHost(folder), wanted, folder);
    if (found.ok) return found;
  }
  const fresh = await PackageLists.fetch(folder, wanted.architecture);
  return fresh.ok ? extractFrom(fresh.value, wanted, folder) : fresh;
}

async function extractFrom(lists: PackageLists, wanted: PackageFile, folder: string): Promise<Result<Uint8Array>> {
  const record = await findHolder(lists, wanted);
  if (record === undefined) return fail('unavailable', "the host's package sources do not have it");
  const file = await lists.download(record);
  return file.ok ? extractFile(file.value, wanted.pattern, folder) : file;
}

async function findHolder(
  lists: PackageLists,
  { package: name, holder }: PackageFile,
): Promise<PackageRecord | undefined> {
  const record = await lists.find(name);
  if (record === undefined || holder === undefined) return record;
  const dependency = record.depends.split(/[ ,|(]+/).find((word) => word.startsWith(holder));
  return dependency === undefined ? undefined : lists.find(dependency);
}

/** Debian's kernel for any machine. */
export const plainKernel: PackageFile = {
  package: 'linux-image-amd64',
  holder: 'linux-image-',
  pattern: './boot/vmlinuz-*',
};

/** Debian's kernel for 32-bit processors, without PAE, and a userland for it. */
export const kernel32: PackageFile = {
  package: 'linux-image-686',
  architecture: 'i386',
  holder: 'linux-image-',
  pattern: './boot/vmlinuz-*',
};

export const busybox32: PackageFile = { package: 'busybox-static', architecture: 'i386', pattern: '*bin/busybox' };

export const memtest: PackageFile = { package: 'memtest86+', pattern: './boot/memtest86+x64.bin' };

export const seabios: PackageFile = { package: 'seabios', pattern: './usr/share/seabios/bios-256k.bin' };
