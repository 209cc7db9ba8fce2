/** Disks as the user names them. */
import type { Disk } from '../../block/disk.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { openRawFile } from './raw-file-disk.ts';

export interface DiskSpec {
  readonly path: string;
  readonly readOnly: boolean;
}

export interface OpenDisk {
  /** What messages call it. */
  readonly name: string;
  readonly disk: Disk;
}

/** Opens a disk for a guest. Errors: kind `input`, a sentence about the file. */
async function openDisk({ path, readOnly }: DiskSpec): Promise<Result<OpenDisk>> {
  const disk = await openRawFile(path, readOnly);
  return disk.ok
    ? ok({ name: path, disk: disk.value })
    : fail('input', `the disk ${path} cannot be opened: ${disk.error.message}.`);
}

/** Opens all, or none. */
export async function openDisks(specs: readonly DiskSpec[]): Promise<Result<OpenDisk[]>> {
  const disks: OpenDisk[] = [];
  for (const spec of specs) {
    const disk = await openDisk(spec);
    if (!disk.ok) {
      await closeDisks(disks);
      return disk;
    }
    disks.push(disk.value);
  }
  return ok(disks);
}

/** @returns what is to be said about those whose last writes did not get through */
export async function closeDisks(disks: readonly OpenDisk[]): Promise<string[]> {
  const complaints: string[] = [];
  for (const { name, disk } of disks) {
    const closed = await disk.close();
    if (!closed.ok) complaints.push(`the disk ${name} could not be closed in order: ${closed.error.message}.`);
  }
  return complaints;
}
