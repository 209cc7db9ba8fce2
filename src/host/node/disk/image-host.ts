/** What images are opened with on this host. */
import { imageFormats } from '../../../block/formats.ts';
import { importers } from '../../../block/import/importers.ts';
import { isNbdUrl } from '../../../block/nbd/url.ts';
import type { DiskSource, ImageHost } from '../../../block/open-image.ts';
import { openNbd } from '../nbd.ts';
import { NodeBlockFiles } from './block-files.ts';
import { nodeCodecs } from './codecs.ts';
import { loadLibc } from './libc.ts';

export interface NodeImageHost extends ImageHost {
  readonly files: NodeBlockFiles;
}

/** Exports of NBD servers. */
const nbdSource: DiskSource = { handles: isNbdUrl, open: (url) => openNbd(url) };

export function nodeImageHost(): NodeImageHost {
  return {
    files: new NodeBlockFiles(loadLibc()),
    codecs: nodeCodecs,
    formats: imageFormats(importers),
    sources: [nbdSource],
  };
}
