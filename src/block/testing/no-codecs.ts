/** For images without compressed clusters. */
import type { Codecs } from '../block-file.ts';

const never = (): never => {
  throw new Error('nothing here is compressed');
};

export const noCodecs: Codecs = { inflate: never, deflate: never, zstdDecompress: never, zstdCompress: never };
