/** SeaBIOS, the firmware that disks start with: this host's own, from the cache, or from the host's distribution. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { cacheFolder } from '../cache-folder.ts';
import { withWorkFolder } from '../work-folder.ts';
import { extractFile, PackageLists } from './apt.ts';
import { FileCache } from './cache.ts';

const packageName = 'seabios';
const fileName = 'bios-256k.bin';
/** Where distributions have it. */
const installed = [`/usr/share/seabios/${fileName}`, `/usr/share/qemu/${fileName}`];
const instead = 'name a firmware of your own with --bios FILE';

/** @param progress is told what takes long */
export async function provideFirmware(progress: (text: string) => void): Promise<Result<Uint8Array>> {
  for (const path of installed) {
    const bytes = await readFile(path).catch(() => undefined);
    // An array of its own: it is handed over to another thread.
    if (bytes !== undefined) return ok(new Uint8Array(bytes));
  }
  const cache = new FileCache(join(cacheFolder(), packageName));
  const [cached] = (await cache.load([fileName])) ?? [];
  if (cached !== undefined) return ok(new Uint8Array(cached));
  progress('fetching SeaBIOS, the firmware (once)');
  try {
    const fetched = await withWorkFolder(cacheFolder(), 'fetch-seabios', fetchFirmware);
    if (!fetched.ok) return fail('unavailable', `SeaBIOS cannot be had: ${fetched.error.message}; ${instead}.`);
    await cache.store([{ name: fileName, bytes: fetched.value }]);
    return ok(new Uint8Array(fetched.value));
  } catch (error) {
    return fail('unavailable', `SeaBIOS could not be stored (${(error as Error).message}); ${instead}.`);
  }
}

/** By the host's own package lists; by fresh ones where those are missing or older than the archive. */
async function fetchFirmware(folder: string): Promise<Result<Uint8Array>> {
  const found = await extractFrom(PackageLists.ofHost(folder), folder);
  if (found.ok) return found;
  const fresh = await PackageLists.fetch(folder);
  return fresh.ok ? extractFrom(fresh.value, folder) : fresh;
}

async function extractFrom(lists: PackageLists, folder: string): Promise<Result<Uint8Array>> {
  const record = await lists.find(packageName);
  if (record === undefined) return fail('unavailable', `the host's package sources have no ${packageName}`);
  const file = await lists.download(record);
  return file.ok ? extractFile(file.value, `*/${fileName}`, folder) : file;
}
