/** Opens an image with everything below it. */
import { fail, ok, type Result } from '../support/result.ts';
import type { BlockFile, BlockFiles, Codecs } from './block-file.ts';
import type { Disk } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { type FormatRequest, type ImageFormat, probedBytes, probeFormat } from './formats.ts';
import { GuardedRawDisk } from './guarded-raw-disk.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';

/** Disks that are no files: servers on a network. */
export interface DiskSource {
  /** Whether it is for this source to open what is called so. */
  handles(name: string): boolean;
  open(name: string): Promise<Result<Disk, DiskFailure>>;
}

/** What images are opened with. */
export interface ImageHost {
  readonly files: BlockFiles;
  readonly codecs: Codecs;
  readonly formats: readonly ImageFormat[];
  readonly sources: readonly DiskSource[];
}

export interface OpenOptions {
  /** Without it the image's first bytes decide. */
  readonly format?: string | undefined;
  readonly readOnly: boolean;
  /** Leaves out what is below: for who looks at an image and not at its disk. Read-only. */
  readonly withoutBacking?: boolean;
  /** A file in whose folder the name is looked for. */
  readonly relativeTo?: string;
}

export interface OpenedImage {
  readonly disk: Disk;
  readonly format: string;
}

const deepestChain = 100;

export function openImage(
  host: ImageHost,
  name: string,
  options: OpenOptions,
): Promise<Result<OpenedImage, DiskFailure>> {
  return openInChain(host, name, options, []);
}

/** @param above the files whose backing file this is, the nearest last */
async function openInChain(
  host: ImageHost,
  name: string,
  options: OpenOptions,
  above: readonly string[],
): Promise<Result<OpenedImage, DiskFailure>> {
  const source = host.sources.find((candidate) => candidate.handles(name));
  if (source !== undefined) return openSource(source, name, options);
  if (/^json:/.test(name))
    return fail('unsupported', `${name} is QEMU's way to name an image, which is not supported.`);
  const file = await host.files.open(name, options.readOnly ? 'read' : 'write', above.at(-1) ?? options.relativeTo);
  if (!file.ok) return file;
  const opened = await openFile(host, file.value, options, above);
  if (!opened.ok) await file.value.close();
  return opened;
}

async function openSource(
  source: DiskSource,
  name: string,
  { format = 'raw', readOnly }: OpenOptions,
): Promise<Result<OpenedImage, DiskFailure>> {
  if (format !== 'raw') return fail('unsupported', `${name} can be used as a raw disk only.`);
  const disk = await source.open(name);
  if (!disk.ok) return disk;
  const mayWrite = !readOnly || disk.value.readOnly;
  return ok({ disk: mayWrite ? disk.value : new ReadOnlyDisk(disk.value, name), format });
}

async function openFile(
  host: ImageHost,
  file: BlockFile,
  options: OpenOptions,
  above: readonly string[],
): Promise<Result<OpenedImage, DiskFailure>> {
  if (above.includes(file.name)) {
    return fail('corrupt', `the backing file of ${above.at(-1)} is ${file.name} again: they go in circles.`);
  }
  if (above.length >= deepestChain) {
    return fail('unsupported', `${file.name} is the backing file of more than ${deepestChain} others in a row.`);
  }
  const format = await chooseFormat(host.formats, file, options.format);
  if (!format.ok) return format;
  const further = furtherFiles(host, file.name, options, above);
  const disk = await format.value.open(file, { readOnly: options.readOnly, codecs: host.codecs, ...further });
  if (!disk.ok) return disk;
  const { name } = format.value;
  // A guest must not make its raw disk into something else by writing what another format begins with.
  const guessed = options.format === undefined && name === 'raw' && !disk.value.readOnly;
  return ok({ disk: guessed ? new GuardedRawDisk(disk.value, host.formats) : disk.value, format: name });
}

async function chooseFormat(
  formats: readonly ImageFormat[],
  file: BlockFile,
  wanted: string | undefined,
): Promise<Result<ImageFormat, DiskFailure>> {
  if (wanted !== undefined) {
    const format = formats.find(({ name }) => name === wanted);
    const names = formats.map(({ name }) => name).join(', ');
    return format === undefined
      ? fail('unsupported', `there is no image format ${wanted}; known are ${names}.`)
      : ok(format);
  }
  const size = await file.size();
  if (!size.ok) return size;
  const header = new Uint8Array(Math.min(probedBytes, size.value));
  const read = await file.read(0, header);
  return read.ok ? ok(probeFormat(formats, header)) : read;
}

/**
 * What an image may open besides itself. Where the image above does not say of which format this one is, its first bytes
 * may be a guest's: it could make its raw disk look like an image that has any file of the host below it.
 */
function furtherFiles(
  host: ImageHost,
  name: string,
  options: OpenOptions,
  above: readonly string[],
): Pick<FormatRequest, 'files' | 'openBacking'> {
  const parent = above.at(-1);
  if (options.withoutBacking === true) return { files: host.files, openBacking: async () => ok(undefined) };
  if (parent !== undefined && options.format === undefined) {
    const advice = `if it is meant to, say its format with "corbel image rebase -u -F FORMAT -b ${name} ${parent}"`;
    const refuse = async () =>
      fail(
        'unsupported',
        `${parent} does not say of which format ${name} is, so that may not name other files; ${advice}.`,
      );
    return { files: { open: refuse }, openBacking: refuse };
  }
  return {
    files: host.files,
    openBacking: async (path, format) => {
      const backing = await openInChain(host, path, { format, readOnly: true }, [...above, name]);
      return backing.ok ? ok(backing.value.disk) : backing;
    },
  };
}
