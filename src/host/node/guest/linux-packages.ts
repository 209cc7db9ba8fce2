/** The kernel, its modules and the busybox of the linux guest: from the cache, or from the host's distribution. */
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { cacheFolder } from '../cache-folder.ts';
import { hasProgram } from '../program.ts';
import { withWorkFolder } from '../work-folder.ts';
import { extractFile, PackageLists, type PackageRecord } from './apt.ts';
import { FileCache } from './cache.ts';
import { archiveModules } from './linux-modules.ts';

export interface LinuxPackages {
  readonly kernel: Uint8Array;
  readonly busybox: Uint8Array;
  /** A cpio archive of the kernel's modules for virtio devices. */
  readonly modules: Uint8Array;
}

/** `small`: made for virtual machines, and up soon. `complete`: with 9P, which Debian leaves out of the small one. */
export type KernelChoice = 'small' | 'complete';

/** Debian's first; the others are what Ubuntu has in its place. */
const kernelPackages: Readonly<Record<KernelChoice, readonly string[]>> = {
  small: ['linux-image-cloud-amd64', 'linux-image-virtual', 'linux-image-amd64', 'linux-image-generic'],
  complete: ['linux-image-amd64', 'linux-image-virtual', 'linux-image-generic'],
};
const cacheNames: Readonly<Record<KernelChoice, string>> = { small: 'linux', complete: 'linux-complete' };
const busyboxPackage = 'busybox-static';
const cachedNames = ['vmlinuz', 'busybox', 'modules.cpio'];
const instead = 'give a kernel and a userland of your own with --kernel FILE and --initrd FILE';

/** @param progress is told what takes long */
export async function provideLinuxPackages(
  progress: (text: string) => void,
  choice: KernelChoice = 'small',
): Promise<Result<LinuxPackages>> {
  const folder = cacheFolder();
  const cache = new FileCache(join(folder, cacheNames[choice]));
  const cached = await cache.load(cachedNames);
  if (cached !== undefined) return ok(asPackages(cached));
  if (!(await hasProgram('apt-get')) || !(await hasProgram('dpkg-deb'))) {
    const packages = `${kernelPackages[choice][0]} and ${busyboxPackage}`;
    return fail('unavailable', `this host has no apt-get to fetch the linux guest (${packages}) with; ${instead}.`);
  }
  try {
    const fetched = await withWorkFolder(folder, 'fetch', (workFolder) => fetchPackages(workFolder, choice, progress));
    if (!fetched.ok) return fail('unavailable', `${fetched.error.message}; ${instead}.`);
    const { kernel, busybox, modules } = fetched.value;
    await cache.store([
      { name: 'vmlinuz', bytes: kernel },
      { name: 'busybox', bytes: busybox },
      { name: 'modules.cpio', bytes: modules },
    ]);
    return fetched;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail('unavailable', `the linux guest could not be stored in ${folder} (${reason}); ${instead}.`);
  }
}

function asPackages(files: readonly Uint8Array[]): LinuxPackages {
  const [kernel, busybox, modules] = files as [Uint8Array, Uint8Array, Uint8Array];
  return { kernel, busybox, modules };
}

async function fetchPackages(
  folder: string,
  choice: KernelChoice,
  progress: (text: string) => void,
): Promise<Result<LinuxPackages>> {
  progress("fetching the linux guest's packages (once)");
  // The host's lists are of its own architecture, so another host goes straight to fresh ones.
  if (process.arch === 'x64') {
    const found = await downloadFrom(PackageLists.ofHost(folder), choice, folder);
    if (found.ok) return found;
  }
  progress('fetching current package lists');
  const fresh = await PackageLists.fetch(folder);
  if (!fresh.ok) return fail('unavailable', `the host's package lists could not be fetched (${fresh.error.message})`);
  return downloadFrom(fresh.value, choice, folder);
}

async function downloadFrom(lists: PackageLists, choice: KernelChoice, folder: string): Promise<Result<LinuxPackages>> {
  const kernel = await findKernel(lists, choice);
  const busybox = await lists.find(busyboxPackage);
  if (kernel === undefined || busybox === undefined) {
    const missing = kernel === undefined ? kernelPackages[choice][0] : busyboxPackage;
    return fail('unavailable', `the host's package sources have no ${missing}`);
  }
  const packageFiles: string[] = [];
  for (const record of [busybox, kernel, ...(await modulePackages(lists, kernel))]) {
    const file = await lists.download(record);
    if (!file.ok) return file;
    packageFiles.push(file.value);
  }
  const [busyboxPackageFile, ...kernelPackageFiles] = packageFiles as [string, string, ...string[]];
  const kernelFile = await extractFile(kernelPackageFiles[0] as string, './boot/vmlinuz-*', folder);
  if (!kernelFile.ok) return kernelFile;
  const busyboxFile = await extractFile(busyboxPackageFile, '*bin/busybox', folder);
  if (!busyboxFile.ok) return busyboxFile;
  const modules = await archiveModules(kernelPackageFiles, folder);
  return ok({ kernel: kernelFile.value, busybox: busyboxFile.value, modules });
}

/** Some distributions have the modules in a package of their own, which the kernel's depends on. */
async function modulePackages(lists: PackageLists, kernel: PackageRecord): Promise<PackageRecord[]> {
  const name = /\blinux-modules-[0-9][^ ,|(:]*/.exec(kernel.depends)?.[0];
  const record = name === undefined ? undefined : await lists.find(name);
  return record === undefined ? [] : [record];
}

/** The package with the kernel itself: the well-known names only depend on it. */
async function findKernel(lists: PackageLists, choice: KernelChoice): Promise<PackageRecord | undefined> {
  for (const name of kernelPackages[choice]) {
    const meta = await lists.find(name);
    const image = /\blinux-image-[0-9][^ ,|(:]*/.exec(meta?.depends ?? '');
    const record = image === null ? undefined : await lists.find(image[0]);
    if (record !== undefined) return record;
  }
  return undefined;
}
