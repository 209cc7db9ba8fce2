/** Writes master boot records (UEFI 2.10, 5.2.1). */
import { chsGeometry, mbr, mbrEntry, mbrStatus } from '../../spec/pc/mbr.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

export interface Partition {
  /** In sectors of 512 bytes. */
  readonly firstSector: number;
  readonly sectorCount: number;
  /** One of `mbrType`, or another byte but 0. */
  readonly type: number;
  readonly active: boolean;
}

const lastSector = 0xffff_ffff;

/**
 * @param bootCode up to 440 bytes
 * @param diskSignature a number of 32 bits by which systems tell disks apart
 * @returns the 512 bytes of sector 0; fails with `range` for more than four partitions, ones that overlap, or ones
 * that 32 bits cannot name
 */
export function writeMasterBootRecord(
  bootCode: Uint8Array,
  diskSignature: number,
  partitions: readonly Partition[],
): Result<Uint8Array, DiskFailure> {
  if (bootCode.length > mbr.codeSize) {
    return fail('range', `boot code of ${bootCode.length} bytes does not fit into the ${mbr.codeSize} of sector 0.`);
  }
  const refusal = refusalOf(partitions);
  if (refusal !== undefined) return fail('range', refusal);
  const bytes = new Uint8Array(mbr.size);
  const view = new DataView(bytes.buffer);
  bytes.set(bootCode, 0);
  view.setUint32(mbr.diskSignature, diskSignature, true);
  for (const [i, partition] of partitions.entries()) {
    writeEntry(new DataView(bytes.buffer, mbr.partitionTable + i * mbr.entrySize, mbr.entrySize), partition);
  }
  view.setUint16(mbr.signature, mbr.signatureValue, true);
  return ok(bytes);
}

function refusalOf(partitions: readonly Partition[]): string | undefined {
  if (partitions.length > mbr.entryCount) return `a boot record has room for ${mbr.entryCount} partitions.`;
  let free = 1;
  for (const { firstSector, sectorCount } of [...partitions].sort((a, b) => a.firstSector - b.firstSector)) {
    if (sectorCount < 1) return 'a partition has no sectors.';
    if (firstSector < free) return `the partition at sector ${firstSector} overlaps what comes before it.`;
    free = firstSector + sectorCount;
  }
  if (free - 1 > lastSector) return `a boot record names sectors up to ${lastSector} (2 TiB) only.`;
  return undefined;
}

function writeEntry(view: DataView, { firstSector, sectorCount, type, active }: Partition): void {
  view.setUint8(mbrEntry.status, active ? mbrStatus.active : mbrStatus.inactive);
  writeChs(view, mbrEntry.firstChs, firstSector);
  view.setUint8(mbrEntry.type, type);
  writeChs(view, mbrEntry.lastChs, firstSector + sectorCount - 1);
  view.setUint32(mbrEntry.firstSector, firstSector, true);
  view.setUint32(mbrEntry.sectorCount, sectorCount, true);
}

/** What is beyond the last cylinder gets the last address that there is. */
function writeChs(view: DataView, at: number, sector: number): void {
  const { heads, sectorsPerTrack, lastCylinder } = chsGeometry;
  const track = Math.floor(sector / sectorsPerTrack);
  const beyond = Math.floor(track / heads) > lastCylinder;
  const cylinder = beyond ? lastCylinder : Math.floor(track / heads);
  view.setUint8(at, beyond ? heads - 1 : track % heads);
  view.setUint8(at + 1, (beyond ? sectorsPerTrack : (sector % sectorsPerTrack) + 1) | ((cylinder >> 2) & 0xc0));
  view.setUint8(at + 2, cylinder & 0xff);
}

/** Where partitions begin at best: a whole mebibyte, as partitioning tools place them. In sectors. */
export const partitionAlignment = (1 << 20) / sectorBytes;
