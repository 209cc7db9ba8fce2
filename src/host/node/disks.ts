/** Opens what `--disk` names, with all its layers. */
import { setTimeout } from 'node:timers/promises';
import type { Disk } from '../../block/disk.ts';
import type { DiskFailure } from '../../block/disk-failure.ts';
import type { DiskSpec } from '../../block/disk-spec.ts';
import { openImage } from '../../block/open-image.ts';
import { overlayOver } from '../../block/overlay.ts';
import { type ThrottleClock, ThrottledDisk } from '../../block/throttled-disk.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { type NodeImageHost, nodeImageHost } from './disk/image-host.ts';

export interface OpenDisk {
  /** What messages call it. */
  readonly name: string;
  readonly disk: Disk;
}

const clock: ThrottleClock = {
  nowMs: () => performance.now(),
  sleep: (ms) => setTimeout(ms),
};

export interface OpenDisk {
  /** What messages call it. */
  readonly name: string;
  readonly disk: Disk;
}

/** @param spec of `parseDiskSpec` */
export async function openDisk(
  spec: DiskSpec,
  host: NodeImageHost = nodeImageHost(),
): Promise<Result<Disk, DiskFailure>> {
  const { file, format, iops, bps } = spec;
  const readOnly = spec.readOnly || spec.snapshot;
  const opened = await openImage(host, file, { format, readOnly });
  if (!opened.ok) return opened;
  const base = opened.value.disk;
  const disk = spec.snapshot && !spec.readOnly ? await addOverlay(base, host) : ok(base);
  if (!disk.ok || (iops === undefined && bps === undefined)) return disk;
  return ok(new ThrottledDisk(disk.value, { iops, bps }, clock));
}

async function addOverlay(base: Disk, host: NodeImageHost): Promise<Result<Disk, DiskFailure>> {
  const file = await host.files.createTemporary();
  const overlay = file.ok ? await overlayOver(base, file.value, host.codecs) : file;
  if (overlay.ok) return overlay;
  if (file.ok) await file.value.close();
  await base.close();
  return overlay;
}

/** Opens all disks of a guest, or none. Errors: kind `input`, a sentence about the disk. */
export async function openDisks(specs: readonly DiskSpec[]): Promise<Result<OpenDisk[]>> {
  const disks: OpenDisk[] = [];
  for (const spec of specs) {
    const disk = await openDisk(spec);
    if (!disk.ok) {
      await closeDisks(disks);
      return fail('input', `the disk ${spec.file} cannot be opened: ${disk.error.message}`);
    }
    disks.push({ name: spec.file, disk: disk.value });
  }
  return ok(disks);
}

/** @returns what is to be said about those whose last writes did not get through */
export async function closeDisks(disks: readonly OpenDisk[]): Promise<string[]> {
  const complaints: string[] = [];
  for (const { name, disk } of disks) {
    const closed = await disk.close();
    if (!closed.ok) complaints.push(`the disk ${name} could not be closed in order: ${closed.error.message}`);
  }
  return complaints;
}
