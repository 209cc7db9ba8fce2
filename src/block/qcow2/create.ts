/** Makes a new qcow2 image. */
import {
  qcow2FeatureName as feature,
  qcow2Compatible,
  qcow2Compression,
  qcow2DefaultClusterBits,
  qcow2DefaultRefcountOrder,
  qcow2Extension,
  qcow2Incompatible,
  qcow2Limit,
} from '../../spec/qcow2.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { encodeUtf8 } from '../../support/utf8.ts';
import type { BlockFile, Codecs } from '../block-file.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { geometryOf, maxDiskBytes } from './geometry.ts';
import { encodeHeader, type Header, type HeaderExtension, setU64, viewOf } from './header.ts';
import { Qcow2Image } from './image.ts';
import { refcountCodec } from './refcount-codec.ts';
import { resizeImage } from './resize.ts';

export interface Qcow2CreateOptions {
  readonly sizeBytes: number;
  readonly version?: 2 | 3;
  readonly clusterBytes?: number;
  readonly refcountBits?: number;
  readonly lazyRefcounts?: boolean;
  readonly compression?: 'zlib' | 'zstd';
  readonly backingFile?: string;
  readonly backingFormat?: string;
}

/** Names for programs that do not know a feature which an image needs. */
const featureNames = [
  [feature.incompatible, 0, 'dirty bit'],
  [feature.incompatible, 1, 'corrupt bit'],
  [feature.incompatible, 2, 'external data file'],
  [feature.incompatible, 3, 'compression type'],
  [feature.incompatible, 4, 'extended L2 entries'],
  [feature.compatible, 0, 'lazy refcounts'],
  [feature.autoclear, 0, 'bitmaps'],
  [feature.autoclear, 1, 'raw external data'],
] as const;

/** Small clusters have no room for them beside the backing file's name. */
const namesFromClusterBytes = 2048;

const place = { header: 0, refcountTable: 1, refcountBlock: 2, clusters: 3 } as const;

/** Says what is wrong with the options, if anything is. */
export function checkCreateOptions(options: Qcow2CreateOptions): Result<Header, DiskFailure> {
  const { version = 3, clusterBytes = 2 ** qcow2DefaultClusterBits, compression = 'zlib' } = options;
  const refcountBits = options.refcountBits ?? 2 ** qcow2DefaultRefcountOrder;
  const clusterBits = Math.log2(clusterBytes);
  const refcountOrder = Math.log2(refcountBits);
  const { minClusterBits, maxClusterBits, maxRefcountOrder } = qcow2Limit;
  if (!Number.isInteger(clusterBits) || clusterBits < minClusterBits || clusterBits > maxClusterBits) {
    return fail('unsupported', 'the cluster size of qcow2 is a power of two from 512 to 2M.');
  }
  if (!Number.isInteger(refcountOrder) || refcountOrder < 0 || refcountOrder > maxRefcountOrder) {
    return fail('unsupported', 'refcounts of qcow2 have 1, 2, 4, 8, 16, 32 or 64 bits.');
  }
  const plain = refcountBits === 16 && compression === 'zlib' && options.lazyRefcounts !== true;
  if (version === 2 && !plain) {
    return fail('unsupported', 'refcount_bits, lazy_refcounts and zstd need version 3 of qcow2 (compat=1.1).');
  }
  const geometry = geometryOf(clusterBits, refcountOrder, false);
  if (options.sizeBytes > maxDiskBytes(geometry)) {
    return fail(
      'unsupported',
      `with clusters of ${clusterBytes} bytes the disk can have ${maxDiskBytes(geometry)} at most.`,
    );
  }
  return ok({
    version,
    clusterBits,
    sizeBytes: 0,
    l1Size: 0,
    l1TableOffset: 0,
    refcountTableOffset: place.refcountTable * clusterBytes,
    refcountTableClusters: 1,
    snapshotCount: 0,
    snapshotsOffset: 0,
    incompatible: compression === 'zstd' ? qcow2Incompatible.compressionType : 0n,
    compatible: options.lazyRefcounts === true ? qcow2Compatible.lazyRefcounts : 0n,
    autoclear: 0n,
    refcountOrder,
    compressionType: compression === 'zstd' ? qcow2Compression.zstd : qcow2Compression.deflate,
    furtherFields: new Uint8Array(0),
    extensions: version === 3 && clusterBytes >= namesFromClusterBytes ? [featureNameTable()] : [],
    backingFile: options.backingFile,
    backingFormat: options.backingFormat,
  });
}

function featureNameTable(): HeaderExtension {
  const data = new Uint8Array(featureNames.length * feature.bytes);
  featureNames.forEach(([type, bit, name], index) => {
    data.set([type, bit, ...encodeUtf8(name)], index * feature.bytes);
  });
  return { type: qcow2Extension.featureNames, data };
}

/** Fills the empty `file` with an image without data, and leaves it open, without the backing disk. */
export async function createQcow2(
  file: BlockFile,
  codecs: Codecs,
  options: Qcow2CreateOptions,
): Promise<Result<Qcow2Image, DiskFailure>> {
  const header = checkCreateOptions(options);
  if (!header.ok) return header;
  const first = encodeHeader(header.value);
  if (first === undefined) return fail('unsupported', 'the name of the backing file is too long for the header.');
  const clusterBytes = first.length;
  const bytes = new Uint8Array(place.clusters * clusterBytes);
  bytes.set(first);
  setU64(viewOf(bytes), place.refcountTable * clusterBytes, place.refcountBlock * clusterBytes);
  const block = viewOf(bytes.subarray(place.refcountBlock * clusterBytes));
  const codec = refcountCodec(2 ** header.value.refcountOrder);
  for (let cluster = 0; cluster < place.clusters; cluster++) codec.set(block, cluster, 1);
  const written = await file.write(0, bytes);
  if (!written.ok) return written;
  const image = await Qcow2Image.open({ file, codecs, header: header.value, readOnly: false });
  if (!image.ok) return image;
  // As there is no backing disk yet, nothing of it is hidden.
  const grown = await resizeImage(image.value, options.sizeBytes);
  return grown.ok ? image : grown;
}
