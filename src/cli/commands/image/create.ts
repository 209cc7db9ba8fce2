import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatByteSize, parseByteSize } from '../../../block/byte-size.ts';
import {
  type CreateRequest,
  checkCreateRequest,
  createImage,
  parseFormatOptions,
} from '../../../block/create-image.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { openImage } from '../../../block/open-image.ts';
import type { NodeImageHost } from '../../../host/node/disk/image-host.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import {
  type CommandFailure,
  done,
  type ImageCall,
  type ImageCommand,
  quietRow,
  type Status,
  usage,
  withDisk,
} from './command.ts';

export const createCommand: ImageCommand = {
  name: 'create',
  usage: '[options] FILE [SIZE]',
  help: `Makes an image of a disk of SIZE, like 20G. An image with a backing file shows
that file's content until something else is written; its SIZE may be left out.
What FILE was before is lost.`,
  rows: [
    { name: 'format', short: 'f', value: 'FORMAT', help: "the image's format: raw or qcow2 (default raw)" },
    {
      name: 'options',
      short: 'o',
      value: 'NAME=VALUE,…',
      help: 'qcow2: cluster_size, compat, refcount_bits,\nlazy_refcounts, compression_type',
    },
    { name: 'backing', short: 'b', value: 'FILE', help: "the backing file, as seen from the image's folder" },
    { name: 'backing-format', short: 'F', value: 'FORMAT', help: "the backing file's format" },
    { name: 'unsafe', short: 'u', help: 'do not look at the backing file' },
    quietRow,
  ],
  operands: [1, 2],
  run: create,
};

async function create(call: ImageCall): Promise<Status> {
  const [path = '', sizeText] = call.operands;
  const request = await readRequest(call, path, sizeText);
  if (!request.ok) return request;
  const checked = checkCreateRequest(request.value);
  if (!checked.ok) return checked;
  const made = await makeImage(call.host, path, request.value);
  if (!made.ok) return made;
  const closed = await withDisk(made.value, async () => done);
  if (closed.ok && !call.has('quiet')) {
    const { format, sizeBytes, backingFile } = request.value;
    const below = backingFile === undefined ? '' : `, over ${backingFile}`;
    process.stdout.write(`${path}: ${format}, ${formatByteSize(sizeBytes)}${below}\n`);
  }
  return closed;
}

/** Creates the file and the image in it; an image that could not be made leaves no new file behind. */
export async function makeImage(host: NodeImageHost, path: string, request: CreateRequest) {
  const file = await host.files.create(path);
  if (!file.ok) return file;
  const made = await createImage(file.value, host.codecs, request);
  if (!made.ok) await file.value.close();
  return made;
}

async function readRequest(
  call: ImageCall,
  path: string,
  sizeText: string | undefined,
): Promise<Result<CreateRequest, CommandFailure>> {
  const options = readOptions(call);
  if (!options.ok) return options;
  const backingFile = call.value('backing') ?? options.value.get('backing_file');
  const backingFormat = call.value('backing-format') ?? options.value.get('backing_fmt');
  for (const name of ['backing_file', 'backing_fmt']) options.value.delete(name);
  const wanted = sizeText ?? options.value.get('size');
  const sizeBytes = wanted === undefined ? undefined : parseByteSize(wanted);
  if (wanted !== undefined && sizeBytes === undefined)
    return usage(`a size is a number like 512, 64M or 20G, not "${wanted}".`);
  const request = { format: call.value('format') ?? 'raw', options: options.value, backingFile, backingFormat };
  if (backingFile === undefined) {
    if (backingFormat !== undefined) return usage('--backing-format is of no use without --backing.');
    return sizeBytes === undefined
      ? usage('the size of the disk is missing.')
      : ok({ ...request, sizeBytes: roundUp(sizeBytes) });
  }
  if (call.has('unsafe')) {
    if (sizeBytes === undefined) return usage('without a look at the backing file, the size has to be said.');
    return ok({ ...request, sizeBytes: roundUp(sizeBytes) });
  }
  if (await isSameFile(path, resolve(dirname(path), backingFile))) {
    return usage(`${path} cannot be its own backing file.`);
  }
  const size = await backingSize(call.host, path, backingFile, backingFormat);
  return size.ok ? ok({ ...request, sizeBytes: roundUp(sizeBytes ?? size.value) }) : size;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 512) * 512;

/** All the `-o` of a call. */
export function readOptions(call: ImageCall): Result<Map<string, string>, CommandFailure> {
  const options = new Map<string, string>();
  for (const text of call.all('options')) {
    const parsed = parseFormatOptions(text);
    if (!parsed.ok) return usage(parsed.error.message);
    for (const [name, value] of parsed.value) options.set(name, value);
  }
  return ok(options);
}

/** Opens the backing file as the image would, so that what cannot be opened later is refused now. */
async function backingSize(
  host: NodeImageHost,
  image: string,
  backing: string,
  format: string | undefined,
): Promise<Result<number, DiskFailure>> {
  const opened = await openImage(host, backing, { format, readOnly: true, relativeTo: image });
  if (!opened.ok) return opened;
  const { disk, format: found } = opened.value;
  const { sizeBytes } = disk;
  const closed = await disk.close();
  if (!closed.ok) return closed;
  if (format !== undefined) return ok(sizeBytes);
  return fail('unsupported', `say the format of ${backing} with -F; it looks like ${found}.`);
}

/** Whether two names mean the same file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}
