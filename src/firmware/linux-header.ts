/** Reads and checks the setup header of a Linux kernel image. Linux Documentation/arch/x86/boot.rst. */
import { linuxBoot, setupHeader } from '../spec/pc/linux-boot.ts';
import { fail, ok } from '../support/result.ts';
import type { BootResult } from './boot-request.ts';
import { formatSize, hex } from './text.ts';

export interface LinuxHeader {
  readonly version: number;
  /** Whether the kernel has the 64-bit entry point. */
  readonly kernel64: boolean;
  /** Where the protected-mode code starts in the file, and its size. */
  readonly codeOffset: number;
  readonly codeLength: number;
  /** End of the setup header in the file, exclusive. */
  readonly headerEnd: number;
  readonly relocatable: boolean;
  readonly alignment: number;
  readonly minAlignment: number;
  /** 0 if the kernel has no preference. */
  readonly preferredAddress: number;
  readonly code32Start: number;
  /** Bytes that the kernel needs from its run-time start on before it reads its memory map. */
  readonly initSize: number;
  readonly commandLineSize: number;
  readonly initrdAddressMax: number;
}

/** Whether the file has the Linux boot signature. */
export function hasLinuxHeader(kernel: Uint8Array): boolean {
  if (kernel.length < setupHeader.version) return false;
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  return (
    view.getUint16(setupHeader.bootFlag, true) === linuxBoot.bootFlagValue &&
    view.getUint32(setupHeader.magic, true) === linuxBoot.magicValue
  );
}

/** Reads the header of a file for which `hasLinuxHeader` holds. */
export function parseLinuxHeader(kernel: Uint8Array): BootResult<LinuxHeader> {
  if (kernel.length < setupHeader.end) {
    return fail('truncated', `The kernel file ends inside its Linux boot header; copy the kernel again.`);
  }
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  const version = view.getUint16(setupHeader.version, true);
  if (version < linuxBoot.version202) {
    return fail(
      'unsupported',
      `The kernel speaks Linux boot protocol ${dotted(version)}; 2.02 is the oldest supported.`,
    );
  }
  if ((view.getUint8(setupHeader.loadFlags) & linuxBoot.loadedHigh) === 0) {
    return fail('unsupported', 'The kernel is a zImage, which loads below 1 MiB; use a bzImage.');
  }
  const sectors = view.getUint8(setupHeader.setupSectors) || linuxBoot.defaultSetupSectors;
  const codeOffset = (sectors + 1) * linuxBoot.sectorBytes;
  const declared = view.getUint32(setupHeader.systemSizeParagraphs, true) * linuxBoot.paragraphBytes;
  const available = kernel.length - codeOffset;
  // The size is rounded up to a paragraph; the file need not be.
  if (available <= 0 || declared - available >= linuxBoot.paragraphBytes) {
    const wanted = formatSize(codeOffset + declared);
    return fail(
      'truncated',
      `The kernel file should have ${wanted} but has ${formatSize(kernel.length)}; copy it again.`,
    );
  }
  if (declared === 0) return fail('malformed', 'The kernel file declares an empty kernel; copy it again.');
  const header = readFields(view, version, codeOffset, Math.min(declared, available));
  return checkFields(header);
}

function readFields(view: DataView, version: number, codeOffset: number, codeLength: number): LinuxHeader {
  const has206 = version >= linuxBoot.version206;
  const has210 = version >= linuxBoot.version210;
  const has212 = version >= linuxBoot.version212;
  const end = setupHeader.magic + view.getUint8(setupHeader.jumpDistance);
  const minAlignmentPower = has210 ? view.getUint8(setupHeader.minAlignment) : 0;
  const alignment = has206 ? view.getUint32(setupHeader.kernelAlignment, true) : 0;
  return {
    version,
    kernel64: has212 && (view.getUint16(setupHeader.extendedLoadFlags, true) & linuxBoot.kernel64) !== 0,
    codeOffset,
    codeLength,
    headerEnd: Math.min(end, setupHeader.limit, view.byteLength),
    relocatable: has206 && view.getUint8(setupHeader.relocatableKernel) !== 0,
    alignment,
    minAlignment: minAlignmentPower > 0 && minAlignmentPower < 32 ? 2 ** minAlignmentPower : alignment,
    preferredAddress: has210 ? Number(view.getBigUint64(setupHeader.preferredAddress, true)) : 0,
    code32Start: view.getUint32(setupHeader.code32Start, true),
    initSize: has210 ? view.getUint32(setupHeader.initSize, true) : 0,
    commandLineSize: has206 ? view.getUint32(setupHeader.commandLineSize, true) : linuxBoot.oldCommandLineSize,
    initrdAddressMax: view.getUint32(setupHeader.initrdAddressMax, true) || linuxBoot.oldInitrdAddressMax,
  };
}

function checkFields(header: LinuxHeader): BootResult<LinuxHeader> {
  if (header.relocatable && !isPowerOfTwo(header.alignment)) {
    return fail('malformed', `The kernel asks for an alignment of ${hex(header.alignment)}, no power of two.`);
  }
  if (header.kernel64 && header.codeLength < linuxBoot.entry64Offset + 1) {
    return fail('malformed', 'The kernel is too small to hold its 64-bit entry point.');
  }
  return ok(header);
}

const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));

const dotted = (version: number): string => `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;
