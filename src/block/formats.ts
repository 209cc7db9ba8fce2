/** The image formats that are known, and how to tell them apart. */
import type { Result } from '../support/result.ts';
import type { BlockFile, BlockFiles, Codecs } from './block-file.ts';
import type { Disk } from './disk.ts';
import type { DiskFailure } from './disk-failure.ts';
import { qcow2Format } from './qcow2/qcow2-format.ts';
import { openRaw } from './raw-disk.ts';

/** What opening an image needs from around it. */
export interface FormatRequest {
  readonly readOnly: boolean;
  readonly files: BlockFiles;
  readonly codecs: Codecs;
  /**
   * Opens the image below, read-only; undefined leaves it out, where nothing of it will be read.
   * @param format as the image above says it; undefined if it does not
   */
  openBacking(path: string, format: string | undefined): Promise<Result<Disk | undefined, DiskFailure>>;
}

export interface ImageFormat {
  /** As the command line has it. */
  readonly name: string;
  /** Whether an image that begins with these bytes is of this format. */
  probe(header: Uint8Array): boolean;
  /** The disk closes `file`; when this fails, `file` stays open. */
  open(file: BlockFile, request: FormatRequest): Promise<Result<Disk, DiskFailure>>;
}

/** What only reads: images of other products. */
export interface ReadOnlyFormat {
  readonly name: string;
  probe(header: Uint8Array): boolean;
  open(file: BlockFile, files: BlockFiles, codecs: Codecs): Promise<Result<Disk, DiskFailure>>;
}

/** What `probe` wants to see. */
export const probedBytes = 512;

const rawFormat: ImageFormat = {
  name: 'raw',
  // Anything can be a raw image: it is one if nothing else matches.
  probe: () => false,
  open: (file, { readOnly }) => openRaw(file, readOnly),
};

/** @param imported further formats, tried in this order */
export function imageFormats(imported: readonly ReadOnlyFormat[]): readonly ImageFormat[] {
  const others = imported.map(
    (format): ImageFormat => ({
      name: format.name,
      probe: (header) => format.probe(header),
      open: (file, { files, codecs }) => format.open(file, files, codecs),
    }),
  );
  return [qcow2Format, ...others, rawFormat];
}

/** @returns the format of an image that begins like that; raw if none matches */
export function probeFormat(formats: readonly ImageFormat[], header: Uint8Array): ImageFormat {
  return formats.find((format) => format.probe(header)) ?? rawFormat;
}
