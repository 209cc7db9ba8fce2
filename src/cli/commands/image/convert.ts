import { stat, unlink } from 'node:fs/promises';
import { formatByteSize, parseByteSize } from '../../../block/byte-size.ts';
import { copyDisk } from '../../../block/copy-disk.ts';
import { type CreateRequest, checkCreateRequest } from '../../../block/create-image.ts';
import type { Disk } from '../../../block/disk.ts';
import { openImage } from '../../../block/open-image.ts';
import { Qcow2Disk } from '../../../block/qcow2/qcow2-disk.ts';
import { showSnapshot } from '../../../block/qcow2/snapshot/snapshots.ts';
import { writeCompressed } from '../../../block/qcow2/write-compressed.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { ProgressBar } from '../../progress-bar.ts';
import {
  type CommandFailure,
  done,
  formatRow,
  type ImageCall,
  type ImageCommand,
  quietRow,
  type Status,
  usage,
  withDisk,
  withImage,
} from './command.ts';
import { isSameFile, makeImage, readOptions } from './create.ts';

export const convertCommand: ImageCommand = {
  name: 'convert',
  usage: '[options] FILE NEW-FILE',
  help: `Copies a disk into a new image, with everything that is below it. Zeroes take no
room there. What NEW-FILE was before is lost.`,
  rows: [
    formatRow,
    { name: 'output-format', short: 'O', value: 'FORMAT', help: "the new image's format: raw or qcow2 (default raw)" },
    { name: 'options', short: 'o', value: 'NAME=VALUE,…', help: 'as with "corbel image create"' },
    { name: 'compress', short: 'c', help: 'compress the data; qcow2 only' },
    { name: 'snapshot', short: 'l', value: 'NAME', help: 'copy a snapshot within the image' },
    {
      name: 'sparse',
      short: 'S',
      value: 'SIZE',
      help: 'zeroes of this length take no room (default 4k);\n0 stores everything',
    },
    { name: 'existing', short: 'n', help: 'write into an image that is there already' },
    { name: 'progress', short: 'p', help: 'show how far it has come (on a terminal: always)' },
    quietRow,
  ],
  operands: [2, 2],
  run: convert,
};

const smallestPiece = 2 ** 20;
const defaultSparseBytes = 4096;
const sectorBytes = 512;

async function convert(call: ImageCall): Promise<Status> {
  const [from = '', to = ''] = call.operands;
  const sparse = parseByteSize(call.value('sparse') ?? String(defaultSparseBytes));
  if (sparse === undefined || sparse % sectorBytes !== 0 || sparse > smallestPiece) {
    return usage(`--sparse takes a multiple of 512 up to 1M, or 0, not "${call.value('sparse')}".`);
  }
  const options = readOptions(call);
  if (!options.ok) return options;
  if (await isSameFile(from, to)) return usage(`${from} and ${to} are the same file.`);
  return withImage(call, from, { format: call.value('format'), readOnly: true }, async ({ disk }) => {
    const name = call.value('snapshot')?.replace(/^snapshot\.(id|name)=/, '');
    const shown = name === undefined ? ok(undefined) : await show(disk, from, name);
    if (!shown.ok) return shown;
    const request: CreateRequest = {
      format: call.value('output-format') ?? 'raw',
      sizeBytes: disk.sizeBytes,
      options: options.value,
    };
    if (call.has('compress') && request.format !== 'qcow2') return usage('--compress needs a qcow2 image: -O qcow2.');
    return call.has('existing') ? copyToExisting(call, disk, to, sparse) : copyToNew(call, disk, to, request, sparse);
  });
}

async function show(disk: Disk, path: string, name: string): Promise<Result<void, CommandFailure>> {
  if (disk instanceof Qcow2Disk) return showSnapshot(disk.image, name);
  return fail('unsupported', `${path} is no qcow2 image and has no snapshots.`);
}

async function copyToExisting(call: ImageCall, source: Disk, to: string, sparse: number): Promise<Status> {
  const target = await openImage(call.host, to, { format: call.value('output-format'), readOnly: false });
  if (!target.ok) return target;
  return withDisk(target.value.disk, async (disk) => {
    if (disk.sizeBytes >= source.sizeBytes) return copy(call, source, disk, { targetIsZero: false, sparse });
    const sizes = `${formatByteSize(disk.sizeBytes)}, ${formatByteSize(source.sizeBytes)} are needed`;
    return fail('range', `${to} is too small: ${sizes}.`);
  });
}

async function copyToNew(
  call: ImageCall,
  source: Disk,
  to: string,
  request: CreateRequest,
  sparse: number,
): Promise<Status> {
  const checked = checkCreateRequest(request);
  if (!checked.ok) return checked;
  const before = await stat(to).catch(() => undefined);
  const target = await makeImage(call.host, to, request);
  // Only a device can have had something in it that is still there.
  const targetIsZero = before?.isBlockDevice() !== true || request.format !== 'raw';
  const copied = target.ok
    ? await withDisk(target.value, (disk) => copy(call, source, disk, { targetIsZero, sparse }))
    : target;
  if (!copied.ok && before === undefined) await unlink(to).catch(() => undefined);
  return copied;
}

async function copy(
  call: ImageCall,
  source: Disk,
  target: Disk,
  { targetIsZero, sparse }: { readonly targetIsZero: boolean; readonly sparse: number },
): Promise<Status> {
  const bar = new ProgressBar('converting', call.has('quiet'));
  const qcow2 = target instanceof Qcow2Disk ? target : undefined;
  const compresses = call.has('compress') && qcow2 !== undefined;
  const clusterBytes = qcow2?.image.geometry.clusterBytes ?? 1;
  const pieceBytes = compresses ? clusterBytes : Math.max(smallestPiece, clusterBytes);
  const copied = await copyDisk(source, target, {
    targetIsZero,
    pieceBytes,
    // A compressed cluster is written as a whole.
    sparseBytes: compresses && sparse > 0 ? clusterBytes : sparse,
    onProgress: bar.show,
    ...(compresses ? { store: (offset: number, bytes: Uint8Array) => writeCompressed(qcow2, offset, bytes) } : {}),
  });
  bar.clear();
  if (!copied.ok) return copied;
  const flushed = await target.flush();
  return flushed.ok ? done : flushed;
}
