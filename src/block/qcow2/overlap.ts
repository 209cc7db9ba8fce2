import type { Err } from '../../support/result.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { corrupt, hex } from './failures.ts';
import { roundDown, roundUp } from './geometry.ts';
import type { Qcow2Image } from './image.ts';

/** The failure, if what is said to be a disk's data is one of the image's tables. */
export function overlappedMetadata(image: Qcow2Image, host: number, length: number): Err<DiskFailure> | undefined {
  const { clusterBytes } = image.geometry;
  const first = roundDown(host, clusterBytes);
  const metadata = image.writable.regions.find(first, roundUp(host + length, clusterBytes) - first);
  if (metadata === undefined) return undefined;
  return corrupt(image.name, `data of the disk is said to lie at ${hex(host)}, in ${metadata}`);
}
