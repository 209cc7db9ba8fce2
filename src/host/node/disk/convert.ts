/** Makes a qcow2 image of a raw one. */
import { copyDisk } from '../../../block/copy-disk.ts';
import { createImage } from '../../../block/create-image.ts';
import type { Disk } from '../../../block/disk.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { openImage } from '../../../block/open-image.ts';
import type { Result } from '../../../support/result.ts';
import { type NodeImageHost, nodeImageHost } from './image-host.ts';

const pieceBytes = 2 ** 20;
/** Zeroes of this length take no room. */
const sparseBytes = 4096;

/** @param progress is told the share that is copied, from 0 to 1 */
export async function convertToQcow2(
  from: string,
  to: string,
  progress: (share: number) => void,
): Promise<Result<void, DiskFailure>> {
  const host = nodeImageHost();
  const source = await openImage(host, from, { format: 'raw', readOnly: true });
  if (!source.ok) return source;
  const copied = await copyToNew(host, source.value.disk, to, progress);
  const closed = await source.value.disk.close();
  return copied.ok ? closed : copied;
}

async function copyToNew(
  host: NodeImageHost,
  source: Disk,
  to: string,
  progress: (share: number) => void,
): Promise<Result<void, DiskFailure>> {
  const file = await host.files.create(to);
  if (!file.ok) return file;
  const request = { format: 'qcow2', sizeBytes: source.sizeBytes, options: new Map<string, string>() };
  const target = await createImage(file.value, host.codecs, request);
  if (!target.ok) {
    await file.value.close();
    return target;
  }
  const copied = await copyDisk(source, target.value, {
    targetIsZero: true,
    pieceBytes,
    sparseBytes,
    onProgress: progress,
  });
  const closed = await target.value.close();
  return copied.ok ? closed : copied;
}
