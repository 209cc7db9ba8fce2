import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export function sha256(bytes: Uint8Array): string {
  const { createHash } = process.getBuiltinModule('node:crypto'); // Loaded when it is wanted, which is not at each start.
  return createHash('sha256').update(bytes).digest('hex');
}

interface CachedFile {
  readonly name: string;
  readonly sha256: string;
  /** Bytes, and when it was written. */
  readonly size: number;
  readonly mtimeMs: number;
}

interface LoadedFile {
  readonly bytes: Uint8Array;
  /** Whether it needed no checksum. */
  readonly untouched: boolean;
}

/**
 * A folder of files with a manifest. A file counts only if it is whole and unchanged, so an interrupted or damaged
 * download is fetched again. One that has the size and the time it was stored with is; of others the checksum tells.
 */
export class FileCache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The contents of `names`, or undefined when one is missing or not what was stored. */
  async load(names: readonly string[]): Promise<Uint8Array[] | undefined> {
    try {
      const manifest = JSON.parse(await readFile(join(this.folder, 'manifest.json'), 'utf8')) as CachedFile[];
      const entries = names.map((name) => manifest.find((entry) => entry.name === name));
      const files = await Promise.all(entries.map((entry) => this.#load(entry)));
      if (!files.every((file) => file !== undefined)) return undefined;
      if (files.some(({ untouched }) => !untouched)) await this.#noteTimes(manifest, names);
      return files.map(({ bytes }) => bytes);
    } catch {
      return undefined;
    }
  }

  /** Stores the files, then the manifest; each appears at once or not at all, also when two processes store together. */
  async store(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    for (const { name, bytes } of files) await this.#replace(name, bytes);
    const manifest: CachedFile[] = [];
    for (const { name, bytes } of files) manifest.push({ ...(await this.#timesOf(name)), name, sha256: sha256(bytes) });
    await this.#writeManifest(manifest);
  }

  /** The next one who loads `names`, which are as their checksums say, need not look at these; if it can be noted. */
  async #noteTimes(manifest: readonly CachedFile[], names: readonly string[]): Promise<void> {
    try {
      const noted: CachedFile[] = [];
      for (const entry of manifest) {
        noted.push(names.includes(entry.name) ? { ...entry, ...(await this.#timesOf(entry.name)) } : entry);
      }
      await this.#writeManifest(noted);
    } catch {
      // A folder that belongs to somebody else, say.
    }
  }

  async #timesOf(name: string): Promise<Pick<CachedFile, 'size' | 'mtimeMs'>> {
    const { size, mtimeMs } = await stat(join(this.folder, name));
    return { size, mtimeMs };
  }

  async #writeManifest(manifest: readonly CachedFile[]): Promise<void> {
    await this.#replace('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
  }

  async #load(entry: CachedFile | undefined): Promise<LoadedFile | undefined> {
    if (entry === undefined) return undefined;
    const file = join(this.folder, entry.name);
    const { size, mtimeMs } = await stat(file);
    const bytes = await readFile(file);
    const untouched = size === entry.size && mtimeMs === entry.mtimeMs;
    return untouched || sha256(bytes) === entry.sha256 ? { bytes, untouched } : undefined;
  }

  async #replace(name: string, content: Uint8Array | string): Promise<void> {
    const unfinished = join(this.folder, `.${name}.${process.pid}`);
    await writeFile(unfinished, content);
    await rename(unfinished, join(this.folder, name));
  }
}
