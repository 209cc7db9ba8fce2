/**
 * Puts GRUB before the first partition, as grub-bios-setup does on a disk with a master boot record: boot.img is the
 * boot code of sector 0, core.img follows it. No file system is asked where anything lies, so nothing has to be mounted.
 */
import { grubBootImage, grubCoreImage } from '../../spec/pc/grub-boot.ts';
import { mbr } from '../../spec/pc/mbr.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { sectorBytes } from '../disk.ts';
import type { DiskFailure } from '../disk-failure.ts';

export interface GrubSectors {
  /** For sector 0. */
  readonly bootCode: Uint8Array;
  /** For the sectors from 1 on. */
  readonly core: Uint8Array;
}

const firstCoreSector = 1;

/**
 * @param boot boot.img as the package has it
 * @param core core.img as grub-mkimage makes it
 * @param sectorsBeforePartition sectors before the first partition, sector 0 among them
 * @returns fails with `corrupt` if they are not what they should be, with `range` if there is no room
 */
export function grubSectors(
  boot: Uint8Array,
  core: Uint8Array,
  sectorsBeforePartition: number,
): Result<GrubSectors, DiskFailure> {
  if (boot.length !== grubBootImage.size || uint16(boot, mbr.signature) !== mbr.signatureValue) {
    return fail('corrupt', "GRUB's boot.img is not a boot sector.");
  }
  const coreSectors = Math.ceil(core.length / sectorBytes);
  if (coreSectors < 2 || uint16(core, grubCoreImage.sectorCount) !== coreSectors - 1) {
    return fail('corrupt', "GRUB's core.img does not begin with a block list of its own sectors.");
  }
  if (firstCoreSector + coreSectors > sectorsBeforePartition) {
    return fail(
      'range',
      `GRUB's core.img takes ${coreSectors} sectors, more than there are before the first partition.`,
    );
  }
  const bootCode = boot.slice(0, mbr.codeSize);
  const bootView = new DataView(bootCode.buffer);
  bootView.setBigUint64(grubBootImage.kernelSector, BigInt(firstCoreSector), true);
  bootView.setUint8(grubBootImage.bootDrive, grubBootImage.bootDriveOfBios);
  const placed = new Uint8Array(coreSectors * sectorBytes);
  placed.set(core);
  new DataView(placed.buffer).setBigUint64(grubCoreImage.firstSector, BigInt(firstCoreSector + 1), true);
  return ok({ bootCode, core: placed });
}

function uint16(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint16(at, true);
}
