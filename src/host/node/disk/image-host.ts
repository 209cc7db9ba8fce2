/** What images are opened with on this host. */
import { imageFormats } from '../../../block/formats.ts';
import type { ImageHost } from '../../../block/open-image.ts';
import { NodeBlockFiles } from './block-files.ts';
import { nodeCodecs } from './codecs.ts';
import { loadLibc } from './libc.ts';

export interface NodeImageHost extends ImageHost {
  readonly files: NodeBlockFiles;
}

export function nodeImageHost(): NodeImageHost {
  return { files: new NodeBlockFiles(loadLibc()), codecs: nodeCodecs, formats: imageFormats([]), sources: [] };
}
