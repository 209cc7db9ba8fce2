/** Programs for the guest from the distribution's packages, with the libraries that they need. */
import { mkdir, readdir, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../src/host/node/cache-folder.ts';
import { PackageLists, type PackageRecord } from '../../src/host/node/guest/apt.ts';
import { runCommand } from '../../src/host/node/guest/command.ts';
import type { CpioEntry } from '../../src/host/node/guest/cpio.ts';
import { fail, ok, type Result } from '../../src/support/result.ts';

/** Not needed to run a program. */
const leftOut = /^usr\/share\/(doc|man|locale|info|lintian|bug)(\/|$)/;
/** Installed by every system, but of no use without an administrator. */
const notForPrograms = new Set(['debconf', 'dpkg', 'install-info', 'gcc-12-base', 'media-types', 'tar']);

/** The first choice of each dependency. Source: Debian Policy 7.1. */
export function dependencies(depends: string): string[] {
  return depends
    .split(',')
    .map((group) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(group)?.[1])
    .filter((name) => name !== undefined);
}

/** What the folder `root` holds, directories first. */
async function entriesOf(root: string, under = ''): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const item of await readdir(join(root, under), { withFileTypes: true })) {
    const path = under === '' ? item.name : `${under}/${item.name}`;
    if (leftOut.test(path)) continue;
    const mode = item.isSymbolicLink() ? 0 : (await stat(join(root, path))).mode & 0o777;
    if (item.isSymbolicLink()) entries.push({ kind: 'link', path, target: await readlink(join(root, path)) });
    else if (item.isFile()) entries.push({ kind: 'file', path, mode, data: await readFile(join(root, path)) });
    else if (item.isDirectory()) {
      entries.push({ kind: 'directory', path, mode: 0o755 }, ...(await entriesOf(root, path)));
    }
  }
  return entries;
}

/** Looks packages up once, however many workloads need them. */
export class PackageSource {
  readonly #cache = join(cacheFolder(), 'bench-packages');
  readonly #downloads = join(this.#cache, `fetch-${process.pid}`);
  readonly #lists = PackageLists.ofHost(this.#downloads);
  readonly #records = new Map<string, PackageRecord | undefined>();

  /** The files of the packages `names` and of all that they depend on. */
  async entries(names: readonly string[]): Promise<Result<CpioEntry[]>> {
    await mkdir(this.#downloads, { recursive: true });
    const records = await this.#closure(names);
    if (!records.ok) return records;
    const entries: CpioEntry[] = [];
    for (const record of records.value) {
      const folder = await this.#unpacked(record);
      if (!folder.ok) return folder;
      entries.push(...(await entriesOf(folder.value)));
    }
    return ok(entries);
  }

  /** Removes what is of no use to the next run. */
  async close(): Promise<void> {
    await rm(this.#downloads, { recursive: true, force: true });
  }

  async #find(name: string): Promise<PackageRecord | undefined> {
    if (!this.#records.has(name)) this.#records.set(name, await this.#lists.find(name));
    return this.#records.get(name);
  }

  async #closure(names: readonly string[]): Promise<Result<PackageRecord[]>> {
    const records = new Map<string, PackageRecord>();
    const waiting = [...names];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (records.has(name) || notForPrograms.has(name)) continue;
      const record = await this.#find(name);
      if (record === undefined && names.includes(name)) {
        return fail('unavailable', `the host's package sources have no ${name}`);
      }
      // Else a virtual package: programs link to none of those.
      if (record === undefined) continue;
      records.set(name, record);
      waiting.push(...dependencies(record.depends));
    }
    return ok([...records.values()]);
  }

  async #unpacked(record: PackageRecord): Promise<Result<string>> {
    const version = record.version.replaceAll(/[^A-Za-z0-9.+~-]/g, '_');
    const folder = join(this.#cache, `${record.name}_${version}`);
    if ((await stat(folder).catch(() => undefined)) !== undefined) return ok(folder);
    const file = await this.#lists.download(record);
    if (!file.ok) return file;
    const unfinished = join(this.#downloads, `${record.name}.unpacked`);
    const unpacking = await runCommand(['dpkg-deb', '-x', file.value, unfinished], this.#downloads);
    if (!unpacking.ok) return fail('unavailable', `${record.name} could not be unpacked: ${unpacking.message}`);
    await rename(unfinished, folder);
    return ok(folder);
  }
}
