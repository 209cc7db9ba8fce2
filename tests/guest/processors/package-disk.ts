/** Programs of the distribution's packages, and others, on a disk from which the linux guest takes them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { PackageSource } from '../../../bench/guest/packages.ts';
import { type CpioEntry, writeCpio } from '../../../src/host/node/guest/cpio.ts';

const sectorBytes = 512;

/** The guest's first command, where that disk is its only one. */
export const unpackDisk = `cd / && cpio -idmu </dev/vda 2>/dev/null; cd /root
export PATH=$PATH:/usr/bin:/usr/sbin:/sbin`;

/** Writes a disk with the packages `names`, what they depend on, and `more`. */
export async function writePackageDisk(
  path: string,
  names: readonly string[],
  more: readonly CpioEntry[] = [],
): Promise<void> {
  const entries = names.length === 0 ? [] : await packageEntries(names);
  const archive = writeCpio([...entries, ...more]);
  const disk = Buffer.alloc(Math.ceil(archive.length / sectorBytes) * sectorBytes);
  disk.set(archive);
  writeFileSync(path, disk);
}

async function packageEntries(names: readonly string[]): Promise<readonly CpioEntry[]> {
  const source = new PackageSource();
  const entries = await source.entries(names);
  await source.close();
  assert.ok(entries.ok, entries.ok ? '' : entries.error.message);
  return entries.value;
}
