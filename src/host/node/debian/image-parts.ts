/** An image on this host: its disk, and beside it what boots it without firmware. */
import { readFile, rename, stat, writeFile } from 'node:fs/promises';

export interface ImageParts {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  /** JSON of an `ImageDescription`. */
  readonly description: string;
}

export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
}

export interface ImageDescription {
  readonly suite: string;
  /** The distribution's version number. */
  readonly version: string;
  readonly hostname: string;
  readonly sizeBytes: number;
  /** For the kernel beside the disk. */
  readonly commandLine: string;
  readonly packages: readonly InstalledPackage[];
}

export type DebianImage = ImageParts & Omit<ImageDescription, 'description'>;

/** The parts of the image whose disk is the file `disk`. */
export function imageParts(disk: string): ImageParts {
  const stem = disk.replace(/\.(qcow2|raw|img)$/, '');
  return { disk, kernel: `${stem}.vmlinuz`, initrd: `${stem}.initrd`, description: `${stem}.json` };
}

export async function writeImageDescription(parts: ImageParts, description: ImageDescription): Promise<void> {
  const unfinished = `${parts.description}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(description, null, 2)}\n`);
  await rename(unfinished, parts.description);
}

/** @returns undefined unless all the parts are there */
export async function findImage(disk: string): Promise<DebianImage | undefined> {
  const parts = imageParts(disk);
  try {
    for (const path of [parts.disk, parts.kernel, parts.initrd]) {
      if (!(await stat(path)).isFile()) return undefined;
    }
    const description = JSON.parse(await readFile(parts.description, 'utf8')) as ImageDescription;
    return typeof description.commandLine === 'string' ? { ...description, ...parts } : undefined;
  } catch {
    return undefined;
  }
}
