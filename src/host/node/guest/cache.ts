import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface CachedFile {
  readonly name: string;
  readonly sha256: string;
}

/**
 * A folder of files with a manifest of their checksums. A file counts only if it is whole and unchanged, so an
 * interrupted or damaged download is fetched again.
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
      const files = await Promise.all(names.map((name) => readFile(join(this.folder, name))));
      const intact = files.every((bytes, i) =>
        manifest.some((entry) => entry.name === names[i] && entry.sha256 === sha256(bytes)),
      );
      return intact ? files : undefined;
    } catch {
      return undefined;
    }
  }

  /** Stores the files, then the manifest; each appears at once or not at all, also when two processes store together. */
  async store(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    for (const { name, bytes } of files) await this.#replace(name, bytes);
    const manifest: CachedFile[] = files.map(({ name, bytes }) => ({ name, sha256: sha256(bytes) }));
    await this.#replace('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
  }

  async #replace(name: string, content: Uint8Array | string): Promise<void> {
    const unfinished = join(this.folder, `.${name}.${process.pid}`);
    await writeFile(unfinished, content);
    await rename(unfinished, join(this.folder, name));
  }
}
