/** Compression for images, by Node's zlib and its thread pool. */
import { constants, deflateRaw, inflateRaw, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Codecs } from '../../../block/block-file.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import {
  zstdBlock,
  zstdChecksumBytes,
  zstdContentSizeBytes,
  zstdDescriptor,
  zstdDictionaryBytes,
  zstdMagic,
} from '../../../spec/zstd.ts';
import { fail, ok, type Result } from '../../../support/result.ts';

/** QEMU inflates clusters with a window of 4 KiB, so nobody may write them with a larger one. */
const deflateWindowBits = 12;
/** What decoding may take for its window; clusters have at most 2 MiB. */
const zstdWindowBits = 24;

type Callback = (error: Error | null, result: Uint8Array) => void;

export const nodeCodecs: Codecs = {
  inflate: (bytes, outputBytes) =>
    decompressed('deflate', outputBytes, (callback) => inflateRaw(bytes, { maxOutputLength: outputBytes }, callback)),
  deflate: (bytes) => compressed((callback) => deflateRaw(bytes, { windowBits: deflateWindowBits }, callback)),
  zstdDecompress: (bytes, outputBytes) => {
    const params = { [constants.ZSTD_d_windowLogMax]: zstdWindowBits };
    const options = { maxOutputLength: outputBytes, params };
    const frame = bytes.subarray(0, zstdFrameBytes(bytes));
    return decompressed('zstd', outputBytes, (callback) => zstdDecompress(frame, options, callback));
  },
  zstdCompress: (bytes) => compressed((callback) => zstdCompress(bytes, callback)),
};

function decompressed(
  name: string,
  outputBytes: number,
  start: (callback: Callback) => void,
): Promise<Result<Uint8Array, DiskFailure>> {
  return new Promise((resolve) => {
    start((error, result) => {
      if (error !== null) return resolve(fail('corrupt', `the ${name} data is malformed (${error.message}).`));
      if (result.length === outputBytes) return resolve(ok(result));
      resolve(fail('corrupt', `the ${name} data ends after ${result.length} of ${outputBytes} bytes.`));
    });
  });
}

function compressed(start: (callback: Callback) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

/** Where the first frame ends: what follows it, in an image anything at all, must not be taken for another one. */
function zstdFrameBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5 || view.getUint32(0, true) !== zstdMagic) return bytes.length;
  const descriptor = view.getUint8(4);
  const single = (descriptor & zstdDescriptor.singleSegment) !== 0;
  const contentSizeFlag = descriptor >> zstdDescriptor.contentSizeShift;
  const contentSizeBytes = contentSizeFlag === 0 && single ? 1 : (zstdContentSizeBytes[contentSizeFlag] ?? 0);
  const windowBytes = single ? 0 : 1;
  let at = 5 + windowBytes + (zstdDictionaryBytes[descriptor & zstdDescriptor.dictionaryMask] ?? 0) + contentSizeBytes;
  for (let last = false; !last; ) {
    if (at + zstdBlock.headerBytes > bytes.length) return bytes.length;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const repeated = ((header >> zstdBlock.typeShift) & zstdBlock.typeMask) === zstdBlock.typeRle;
    at += zstdBlock.headerBytes + (repeated ? 1 : header >> zstdBlock.sizeShift);
    last = (header & zstdBlock.last) !== 0;
  }
  if ((descriptor & zstdDescriptor.checksum) !== 0) at += zstdChecksumBytes;
  return Math.min(at, bytes.length);
}
