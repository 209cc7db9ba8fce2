/** `corbel run debian`: which image, which disk, and how it starts. */

import { join } from 'node:path';
import type { DiskSpec } from '../block/disk-spec.ts';
import type { DebianImage } from '../host/node/debian/image-parts.ts';
import { createOverlay, fileExists, newestImage, newImagePath } from '../host/node/debian/image-store.ts';
import { vmStateFolder } from '../host/node/vms/vm-folders.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { buildWithProgress } from './commands/image-build.ts';
import { defaultImage } from './image-build-options.ts';
import { say } from './messages.ts';
import { defaultNetwork } from './net-options.ts';
import type { RunOptions } from './run-options.ts';

/**
 * Puts the disk of the debian guest into the options. An overlay that stays starts from its own disk, by its boot
 * loader: the guest may have installed another kernel there. What is thrown away starts with the image's kernel at once.
 */
export async function withDebian(options: RunOptions): Promise<Result<RunOptions>> {
  const networks = options.networks ?? [defaultNetwork];
  // A virtual machine with a name keeps what it writes, in its own folder.
  const { name } = options;
  const overlay = options.overlay ?? (name === undefined ? undefined : join(vmStateFolder(name), 'disk.qcow2'));
  if (overlay === undefined) {
    const image = await provideImage();
    if (!image.ok) return image;
    if (options.command === undefined) say('what the guest writes is gone when it ends; --overlay FILE keeps it');
    const { kernel, initrd, commandLine, disk } = image.value;
    const append = options.append === '' ? commandLine : `${commandLine} ${options.append}`;
    const disks = [diskOf(disk, true), ...options.disks];
    return ok({ ...options, guest: 'kernel', kernel, initrd, append, disks, networks });
  }
  if (!(await fileExists(overlay))) {
    const image = await provideImage();
    const made = image.ok ? await createOverlay(overlay, image.value) : image;
    if (!made.ok) return fail('input', made.error.message);
  }
  return ok({ ...options, guest: 'disk', disks: [diskOf(overlay, false), ...options.disks], networks });
}

async function provideImage(): Promise<Result<DebianImage>> {
  const { suite } = defaultImage;
  const known = await newestImage(suite);
  if (known !== undefined) return ok(known);
  say('building an image of Debian for the debian guest (once)');
  return buildWithProgress({ ...defaultImage, output: newImagePath(suite) }, undefined);
}

function diskOf(file: string, snapshot: boolean): DiskSpec {
  return { file, format: 'qcow2', readOnly: false, snapshot, iops: undefined, bps: undefined };
}
