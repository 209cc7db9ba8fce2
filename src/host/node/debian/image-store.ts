/** The images that the debian guest starts from, and what a machine writes over one of them. */
import { access, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createImage } from '../../../block/create-image.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { ok, type Result } from '../../../support/result.ts';
import { cacheFolder } from '../cache-folder.ts';
import { nodeImageHost } from '../disk/image-host.ts';
import { type DebianImage, findImage } from './image-parts.ts';

const folder = (): string => join(cacheFolder(), 'images');

/**
 * Where a new image of `suite` goes. Overlays name the image that they lie over, so no image ever takes another one's
 * place; their names sort by time.
 */
export function newImagePath(suite: string): string {
  const time = new Date()
    .toISOString()
    .replace(/[^0-9T]/g, '')
    .slice(0, 15);
  return join(folder(), `debian-${suite}-${time}.qcow2`);
}

/** The newest image of `suite` that is whole. */
export async function newestImage(suite: string): Promise<DebianImage | undefined> {
  const names = (await readdir(folder()).catch(() => [])).filter(
    (name) => /^debian-(.*)-[0-9T]{15}\.qcow2$/.exec(name)?.[1] === suite,
  );
  for (const name of names.sort().reverse()) {
    const image = await findImage(join(folder(), name));
    if (image !== undefined) return image;
  }
  return undefined;
}

export function fileExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Makes the file `path`: a disk that shows `image` until something else is written. */
export async function createOverlay(path: string, image: DebianImage): Promise<Result<void, DiskFailure>> {
  const host = nodeImageHost();
  const unfinished = `${path}.${process.pid}`;
  const file = await host.files.create(unfinished);
  if (!file.ok) return file;
  const backing = { backingFile: resolve(image.disk), backingFormat: 'qcow2' };
  const made = await createImage(file.value, host.codecs, {
    format: 'qcow2',
    sizeBytes: image.sizeBytes,
    options: new Map(),
    ...backing,
  });
  const closed = await (made.ok ? made.value : file.value).close();
  if (made.ok && closed.ok) {
    await rename(unfinished, path);
    return ok(undefined);
  }
  await rm(unfinished, { force: true });
  return made.ok ? closed : made;
}
