/** Kernel and busybox of the distribution's 32-bit architecture, from the cache or from the host's package sources. */
import { join } from 'node:path';
import { cacheFolder } from '../../src/host/node/cache-folder.ts';
import { extractFile, PackageLists } from '../../src/host/node/guest/apt.ts';
import { FileCache } from '../../src/host/node/guest/cache.ts';
import { withWorkFolder } from '../../src/host/node/work-folder.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';

export interface KernelAndBusybox {
  readonly kernel: Uint8Array;
  readonly busybox: Uint8Array;
}

/** The one without PAE: v86 runs no other. */
const kernelPackage = 'linux-image-686';
const names = ['vmlinuz', 'busybox'] as const;

/** One file of the newest version of a package. */
async function fileOf(lists: PackageLists, name: string, pattern: string, folder: string): Promise<Result<Uint8Array>> {
  const record = await lists.find(name);
  if (record === undefined) return fail('unavailable', `the host's package sources have no ${name} for i386`);
  const file = await lists.download(record);
  return file.ok ? extractFile(file.value, pattern, folder) : file;
}

async function fetchFrom(folder: string): Promise<Result<KernelAndBusybox>> {
  const lists = await PackageLists.fetch(folder, 'i386');
  if (!lists.ok) return fail('unavailable', `package lists for i386 could not be fetched (${lists.error.message})`);
  const depends = (await lists.value.find(kernelPackage))?.depends ?? '';
  const image = /\blinux-image-[0-9][^ ,|(:]*/.exec(depends)?.[0] ?? kernelPackage;
  const kernel = await fileOf(lists.value, image, './boot/vmlinuz-*', folder);
  if (!kernel.ok) return kernel;
  const busybox = await fileOf(lists.value, 'busybox-static', '*bin/busybox', folder);
  return busybox.ok ? ok({ kernel: kernel.value, busybox: busybox.value }) : busybox;
}

export async function provideLinuxI386(note: (text: string) => void): Promise<Result<KernelAndBusybox>> {
  const folder = cacheFolder();
  const cache = new FileCache(join(folder, 'bench-i386'));
  const [kernel, busybox] = (await cache.load(names)) ?? [];
  if (kernel !== undefined && busybox !== undefined) return ok({ kernel, busybox });
  note('fetching a 32-bit kernel and busybox (once)');
  const fetched = await withWorkFolder(folder, 'fetch', fetchFrom);
  if (!fetched.ok) return fetched;
  await cache.store(names.map((name) => ({ name, bytes: fetched.value[name === 'vmlinuz' ? 'kernel' : 'busybox'] })));
  return fetched;
}
