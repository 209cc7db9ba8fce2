/** qcow2 among the formats. */
import { qcow2Incompatible } from '../../spec/qcow2.ts';
import { ok, type Result } from '../../support/result.ts';
import type { BlockFile } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import type { FormatRequest, ImageFormat } from '../formats.ts';
import { checkQcow2 } from './check/check.ts';
import { type Header, hasQcow2Magic } from './header.ts';
import { Qcow2Image, readHeader } from './image.ts';
import { Qcow2Disk } from './qcow2-disk.ts';

export const qcow2Format: ImageFormat = { name: 'qcow2', probe: hasQcow2Magic, open: openQcow2 };

export async function openQcow2(file: BlockFile, request: FormatRequest): Promise<Result<Qcow2Disk, DiskFailure>> {
  const header = await (request.readOnly ? readHeader(file) : readRepairedHeader(file));
  if (!header.ok) return header;
  const image = await Qcow2Image.open({ ...request, file, header: header.value });
  if (!image.ok) return image;
  const { backingFile, backingFormat } = header.value;
  if (backingFile !== undefined) {
    const backing = await request.openBacking(backingFile, backingFormat);
    if (!backing.ok) return backing;
    image.value.backing = backing.value;
  }
  return ok(new Qcow2Disk(image.value));
}

/** An image that nobody closed may have wrong refcounts: they are counted anew before anybody relies on them. */
async function readRepairedHeader(file: BlockFile): Promise<Result<Header, DiskFailure>> {
  const header = await readHeader(file);
  if (!header.ok || (header.value.incompatible & qcow2Incompatible.dirty) === 0n) return header;
  const checked = await checkQcow2(file, { repair: 'refcounts' });
  return checked.ok ? readHeader(file) : checked;
}
