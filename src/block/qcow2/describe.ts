/** What is said of a qcow2 image beyond what every image has; names are those of qemu-img's JSON. */
import { qcow2Compatible, qcow2Compression, qcow2Incompatible } from '../../spec/qcow2.ts';
import type { Qcow2Image } from './image.ts';

export interface Qcow2Description {
  readonly compat: '0.10' | '1.1';
  readonly 'compression-type': 'zlib' | 'zstd';
  readonly 'lazy-refcounts': boolean;
  readonly 'refcount-bits': number;
  readonly corrupt: boolean;
  readonly dirty: boolean;
}

export function describeQcow2({ header, geometry }: Qcow2Image): Qcow2Description {
  return {
    compat: header.version === 2 ? '0.10' : '1.1',
    'compression-type': header.compressionType === qcow2Compression.zstd ? 'zstd' : 'zlib',
    'lazy-refcounts': (header.compatible & qcow2Compatible.lazyRefcounts) !== 0n,
    'refcount-bits': geometry.refcountBits,
    corrupt: (header.incompatible & qcow2Incompatible.corrupt) !== 0n,
    dirty: (header.incompatible & qcow2Incompatible.dirty) !== 0n,
  };
}
