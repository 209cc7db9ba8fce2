/** Random workloads on images of many kinds, with `qemu-img` as the judge of what they leave. */
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { createQcow2, type Qcow2CreateOptions } from '../../src/block/qcow2/create.ts';
import { Qcow2Disk } from '../../src/block/qcow2/qcow2-disk.ts';
import { nodeCodecs } from '../../src/host/node/disk/codecs.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { qemuImg, run } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';
import { Workload } from './workload.ts';

export interface OracleCase {
  readonly name: string;
  readonly create: Omit<Qcow2CreateOptions, 'sizeBytes' | 'backingFile' | 'backingFormat'>;
  readonly sizeBytes: number;
  readonly backing?: { readonly format: 'raw' | 'qcow2'; readonly sizeBytes: number };
  readonly snapshots: boolean;
}

const mebibyte = 2 ** 20;
/** No multiple of any cluster. */
const oddBytes = 5 * 512;
const small = { sizeBytes: 3 * mebibyte + oddBytes, snapshots: true };
const large = { sizeBytes: 24 * mebibyte + oddBytes, snapshots: true };

export const oracleCases: readonly OracleCase[] = [
  { name: 'plain', create: {}, ...large },
  { name: 'clusters of 512 bytes', create: { clusterBytes: 512 }, ...small },
  { name: 'clusters of 2 MiB', create: { clusterBytes: 2 * mebibyte }, ...large },
  { name: 'version 2', create: { version: 2 }, sizeBytes: large.sizeBytes, snapshots: true },
  { name: 'refcounts of 1 bit', create: { refcountBits: 1, clusterBytes: 4096 }, ...large, snapshots: false },
  { name: 'refcounts of 2 bits', create: { refcountBits: 2, clusterBytes: 1024 }, ...small, snapshots: false },
  { name: 'refcounts of 4 bits', create: { refcountBits: 4 }, ...large },
  { name: 'refcounts of 8 bits', create: { refcountBits: 8, clusterBytes: 8192 }, ...large },
  { name: 'refcounts of 32 bits', create: { refcountBits: 32, clusterBytes: 2048 }, ...small },
  { name: 'refcounts of 64 bits', create: { refcountBits: 64, clusterBytes: 512 }, ...small },
  { name: 'lazy refcounts', create: { lazyRefcounts: true }, ...large },
  {
    name: 'a raw backing file that is shorter',
    create: {},
    ...large,
    backing: { format: 'raw', sizeBytes: 10 * mebibyte + 512 },
  },
  {
    name: 'a qcow2 backing file that is longer',
    create: { clusterBytes: 16_384 },
    ...large,
    backing: { format: 'qcow2', sizeBytes: 40 * mebibyte },
  },
  {
    name: 'version 2 with a backing file',
    create: { version: 2, clusterBytes: 4096 },
    ...small,
    backing: { format: 'qcow2', sizeBytes: 2 * mebibyte },
  },
];

/** @param path gives the path of a file in a folder of the test's own. Throws what is wrong, with what was done. */
export async function runOracleCase(
  oracleCase: OracleCase,
  seed: number,
  steps: number,
  path: (name: string) => string,
): Promise<void> {
  const random = new Random(seed, steps, oracleCase.name);
  const host = nodeImageHost();
  const image = path('image.qcow2');
  const content = await createImage(oracleCase, random, path);
  // Version 2 can neither resize a disk with snapshots nor hide a backing file but by data.
  const resizes = oracleCase.create.version !== 2;
  const maxBytes = oracleCase.sizeBytes * 1.5;
  const options = { path: image, content, maxBytes, snapshots: oracleCase.snapshots, resizes };
  const workload = await Workload.start(host, options, random);
  try {
    for (let step = 0; step < steps; step++) await workload.step();
    await workload.finish();
    await judge(image, workload, path);
  } catch (error) {
    const done = workload.log.slice(-30).join('\n  ');
    throw new Error(`seed ${seed}, after ${workload.log.length} steps, the last:\n  ${done}`, { cause: error });
  }
}

async function judge(image: string, workload: Workload, path: (name: string) => string): Promise<void> {
  const checked = await run('qemu-img', ['check', '-f', 'qcow2', image]);
  assert.equal(checked.status, 0, checked.text);
  assert.doesNotMatch(checked.text, /ERROR|Leaked/);
  const shadow = path('shadow.raw');
  writeFileSync(shadow, workload.shadow);
  await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', image, shadow);
  assert.equal(JSON.parse(await qemuImg('info', '--output=json', image))['virtual-size'], workload.shadow.length);
  for (const [name, bytes] of workload.snapshots) {
    const extracted = path('snapshot.raw');
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', '-l', `snapshot.name=${name}`, image, extracted);
    // qemu-img shows as much of a snapshot as the disk has now.
    const length = Math.min(bytes.length, workload.shadow.length);
    truncateSync(extracted, length);
    writeFileSync(shadow, bytes.subarray(0, length));
    await qemuImg('compare', '-f', 'raw', '-F', 'raw', extracted, shadow);
  }
}

/** @returns what the disk reads as */
async function createImage(
  { create, sizeBytes, backing }: OracleCase,
  random: Random,
  path: (name: string) => string,
): Promise<Uint8Array> {
  const host = nodeImageHost();
  const content = new Uint8Array(sizeBytes);
  const below =
    backing === undefined ? {} : { backingFile: `backing.${backing.format}`, backingFormat: backing.format };
  if (backing !== undefined) {
    const bytes = new Uint8Array(backing.sizeBytes);
    for (let count = 0; count < 40; count++) {
      const at = random.below(bytes.length);
      bytes.fill(1 + random.below(255), at, at + random.below(200_000));
    }
    content.set(bytes.subarray(0, sizeBytes));
    const raw = path('backing.raw');
    writeFileSync(raw, bytes);
    if (backing.format === 'qcow2') await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, path('backing.qcow2'));
  }
  const file = value(await host.files.create(path('image.qcow2')));
  const image = value(await createQcow2(file, nodeCodecs, { ...create, ...below, sizeBytes }));
  value(await new Qcow2Disk(image).close());
  return content;
}
