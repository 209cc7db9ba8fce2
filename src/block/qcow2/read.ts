/** Reading what a guest sees. */
import { ok, type Result } from '../../support/result.ts';
import { type Bytes, storeBytes } from '../../support/scattered-bytes.ts';
import type { Extent } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';
import { readInto } from '../scattered.ts';
import type { Run } from './cluster-map.ts';
import type { Qcow2Image } from './image.ts';

/** Fills `into`. The caller holds a lock on the range. Beyond the end of the disk there are zeroes. */
export async function readGuest(image: Qcow2Image, offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
  const inside = Math.min(into.length, image.header.sizeBytes - offset);
  if (inside < into.length) into.fill(0, Math.max(0, inside));
  if (inside <= 0) return ok(undefined);
  const first = await image.map.run(offset, offset + inside);
  if (!first.ok) return first;
  if (first.value.length === inside) return readRun(image, first.value, offset, into.subarray(0, inside));
  const rest = await image.map.runs(offset + first.value.length, offset + inside);
  if (!rest.ok) return rest;
  let at = 0;
  const reads = [first.value, ...rest.value].map((run) => {
    const part = into.subarray(at, at + run.length);
    at += run.length;
    return readRun(image, run, offset + at - run.length, part);
  });
  return (await Promise.all(reads)).find((result) => !result.ok) ?? ok(undefined);
}

async function readRun(image: Qcow2Image, run: Run, offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
  switch (run.kind) {
    case 'data':
      return readInto(image.file, run.host, into);
    case 'zero':
      into.fill(0);
      return ok(undefined);
    case 'hole':
      return readBacking(image, offset, into);
    case 'compressed': {
      const cluster = await image.compressed.get(run.host, run.hostBytes);
      if (!cluster.ok) return cluster;
      const inCluster = offset % image.geometry.clusterBytes;
      storeBytes(cluster.value.subarray(inCluster, inCluster + into.length), into);
      return ok(undefined);
    }
  }
}

async function readBacking({ backing }: Qcow2Image, offset: number, into: Bytes): Promise<Result<void, DiskFailure>> {
  const there = backing === undefined ? 0 : Math.max(0, Math.min(into.length, backing.sizeBytes - offset));
  into.fill(0, there);
  return backing === undefined || there === 0 ? ok(undefined) : readInto(backing, offset, into.subarray(0, there));
}

/** Whether a run reads as zeroes without anything stored. */
export function readsAsZero({ backing }: Qcow2Image, run: Run, offset: number): boolean {
  if (run.kind === 'zero') return true;
  return run.kind === 'hole' && (backing === undefined || offset >= backing.sizeBytes);
}

/** See `Disk.extent`. */
export async function guestExtent(
  image: Qcow2Image,
  offset: number,
  length: number,
): Promise<Result<Extent, DiskFailure>> {
  const run = await image.map.run(offset, offset + length);
  if (!run.ok) return run;
  const { kind } = run.value;
  if (kind === 'zero') return ok({ kind, length: run.value.length });
  if (kind !== 'hole') return ok({ kind: 'data', length: run.value.length });
  if (readsAsZero(image, run.value, offset)) return ok({ kind, length: run.value.length });
  const backing = image.backing as NonNullable<typeof image.backing>;
  return backing.extent(offset, Math.min(run.value.length, backing.sizeBytes - offset));
}
