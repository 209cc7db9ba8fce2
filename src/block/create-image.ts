/** Makes new images of the formats that can be written. */
import { fail, ok, type Result } from '../support/result.ts';
import type { BlockFile, Codecs } from './block-file.ts';
import { parseByteSize } from './byte-size.ts';
import { splitAtCommas } from './comma-list.ts';
import type { Disk } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { checkCreateOptions, createQcow2, type Qcow2CreateOptions } from './qcow2/create.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { openRaw } from './raw-disk.ts';

export interface CreateRequest {
  readonly format: string;
  readonly sizeBytes: number;
  /** qemu-img's `-o`, by name. */
  readonly options: ReadonlyMap<string, string>;
  readonly backingFile?: string | undefined;
  readonly backingFormat?: string | undefined;
}

export const writtenFormats: readonly string[] = ['raw', 'qcow2'];

/** Reads `name=value,name=value`; commas within values are doubled. */
export function parseFormatOptions(text: string): Result<Map<string, string>> {
  const options = new Map<string, string>();
  for (const part of splitAtCommas(text)) {
    const [, name, value = ''] = /^([a-z0-9_]+)=(.*)$/s.exec(part) ?? [];
    if (name === undefined) return fail('usage', `-o takes NAME=VALUE, separated by commas, not "${part}".`);
    options.set(name, value);
  }
  return ok(options);
}

/** What is wrong with the request, before anything is touched. */
export function checkCreateRequest(request: CreateRequest): Result<void, DiskFailure> {
  if (request.format === 'qcow2') {
    const options = qcow2Options(request);
    if (!options.ok) return options;
    const header = checkCreateOptions(options.value);
    return header.ok ? ok(undefined) : header;
  }
  if (request.format !== 'raw') {
    return fail(
      'unsupported',
      `images of format ${request.format} cannot be written, only ${writtenFormats.join(' and ')}.`,
    );
  }
  if (request.backingFile !== undefined)
    return fail('unsupported', 'a raw image cannot have a backing file; use qcow2.');
  const [option] = [...request.options].filter(([name, value]) => name !== 'size' && !isOff(name, value));
  if (option === undefined) return ok(undefined);
  return fail('unsupported', `a raw image has no option ${option[0]}=${option[1]}.`);
}

/** Fills the empty `file`. The disk closes it; when this fails, it stays open. The backing disk is not attached. */
export async function createImage(
  file: BlockFile,
  codecs: Codecs,
  request: CreateRequest,
): Promise<Result<Disk, DiskFailure>> {
  const checked = checkCreateRequest(request);
  if (!checked.ok) return checked;
  if (request.format === 'raw') {
    const disk = await openRaw(file, false);
    if (!disk.ok || disk.value.sizeBytes === request.sizeBytes) return disk;
    const resized = await disk.value.resize(request.sizeBytes);
    // A block device that is larger does.
    return resized.ok || disk.value.sizeBytes > request.sizeBytes ? disk : resized;
  }
  const options = qcow2Options(request);
  if (!options.ok) return options;
  const image = await createQcow2(file, codecs, options.value);
  return image.ok ? ok(new Qcow2Disk(image.value)) : image;
}

/** What asks for nothing is granted by everybody. */
function isOff(name: string, value: string): boolean {
  return value === 'off' && ['preallocation', 'encryption', 'extended_l2', 'nocow', 'data_file_raw'].includes(name);
}

function qcow2Options(request: CreateRequest): Result<Qcow2CreateOptions, DiskFailure> {
  const { sizeBytes, backingFile, backingFormat } = request;
  let options: Qcow2CreateOptions = {
    sizeBytes,
    ...(backingFile === undefined ? {} : { backingFile }),
    ...(backingFormat === undefined ? {} : { backingFormat }),
  };
  for (const [name, value] of request.options) {
    if (name === 'size' || isOff(name, value)) continue;
    const change = qcow2Option(name, value);
    if (typeof change === 'string') return fail('unsupported', change);
    options = { ...options, ...change };
  }
  return ok(options);
}

/** @returns what to change, or a sentence on what is wrong */
function qcow2Option(name: string, value: string): Partial<Qcow2CreateOptions> | string {
  switch (name) {
    case 'cluster_size':
      return { clusterBytes: parseByteSize(value) ?? Number.NaN };
    case 'refcount_bits':
      return { refcountBits: /^[0-9]+$/.test(value) ? Number(value) : Number.NaN };
    case 'compat':
      if (value === '0.10' || value === 'v2') return { version: 2 };
      return value === '1.1' || value === 'v3' ? { version: 3 } : 'compat is 0.10 (version 2) or 1.1 (version 3).';
    case 'lazy_refcounts':
      return value === 'on' || value === 'off' ? { lazyRefcounts: value === 'on' } : 'lazy_refcounts is on or off.';
    case 'compression_type':
      return value === 'zlib' || value === 'zstd' ? { compression: value } : 'compression_type is zlib or zstd.';
    default:
      return `a qcow2 image cannot have ${name}=${value}.`;
  }
}
