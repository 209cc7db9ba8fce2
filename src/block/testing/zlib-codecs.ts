import { promisify } from 'node:util';
import { deflateRaw, inflateRaw, zstdCompress, zstdDecompress } from 'node:zlib';
import { fail, ok } from '../../support/result.ts';
import type { Codecs } from '../block-file.ts';

const [inflate, deflate] = [promisify(inflateRaw), promisify(deflateRaw)];
const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];

type Unpack = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

/** Node's, and strict: what is not exactly as long as it should be is corrupt. */
export const zlibCodecs: Codecs = {
  inflate: (bytes, outputBytes) => unpack(inflate as Unpack, bytes, outputBytes),
  zstdDecompress: (bytes, outputBytes) => unpack(decompress as Unpack, bytes, outputBytes),
  deflate: (bytes) => deflate(bytes),
  zstdCompress: (bytes) => compress(bytes),
};

async function unpack(method: Unpack, bytes: Uint8Array, outputBytes: number) {
  try {
    const output = await method(bytes, { maxOutputLength: outputBytes });
    if (output.length === outputBytes) return ok(output);
    return fail('corrupt', `unpacked data has ${output.length} bytes, not ${outputBytes}.`);
  } catch (error) {
    return fail('corrupt', (error as Error).message);
  }
}
