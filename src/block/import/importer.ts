import type { Result } from '../../support/result.ts';
import type { BlockFile, BlockFiles, Codecs } from '../block-file.ts';
import type { Disk } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

/** A format that is read and never written: images of other products, to convert them or to lay an overlay over. */
export interface Importer {
  /** The format's name on the command line. */
  readonly name: string;
  /** Whether an image that begins with these bytes (512 are enough, or all that it has) is of this format. */
  probe(header: Uint8Array): boolean;
  /**
   * Opens an image as a read-only disk. The disk closes `file` when it is closed; when this fails, `file` stays open.
   * Fails with `corrupt` where the image contradicts itself and with `unsupported` where it asks for more than we do.
   */
  open(file: BlockFile, files: BlockFiles, codecs: Codecs): Promise<Result<Disk, DiskFailure>>;
}
