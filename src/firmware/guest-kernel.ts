/** Loads a kernel of any supported kind. Entry file of the loaders. */
import { foreignImages } from '../spec/pc/linux-boot.ts';
import { fail } from '../support/result.ts';
import type { BootRequest, BootResult, LoadedGuest } from './boot-request.ts';
import { isElf } from './elf.ts';
import { loadLinux } from './linux.ts';
import { hasLinuxHeader } from './linux-header.ts';
import { loadMultiboot } from './multiboot.ts';
import { findMultibootHeader } from './multiboot-header.ts';
import { loadPvh } from './pvh.ts';
import { formatSize, hasText } from './text.ts';

/** Files that people pass by mistake: what they begin with, and what to do. */
const mistaken: readonly { readonly magic: string; readonly offset: number; readonly advice: string }[] = [
  { offset: 0, magic: '\x1f\x8b', advice: 'is compressed with gzip; decompress it first' },
  { offset: 0, magic: '\xfd7zXZ\0', advice: 'is compressed with xz; decompress it first' },
  { offset: 0, magic: '\x28\xb5\x2f\xfd', advice: 'is compressed with zstd; decompress it first' },
  { offset: 0, magic: 'BZh', advice: 'is compressed with bzip2; decompress it first' },
  { offset: 0, magic: '!<arch>\n', advice: 'is a package or library; unpack the kernel from it' },
  { offset: 0, magic: '070701', advice: 'is a cpio archive; pass it with --initrd' },
  { offset: 0x8001, magic: 'CD001', advice: 'is a CD image; unpack the kernel from it' },
  { offset: 4, magic: 'zimg', advice: 'is a compressed EFI image; pass the kernel inside it' },
];

/** Recognises the kernel, loads it and everything it is passed. */
export function loadGuestKernel(request: BootRequest): BootResult<LoadedGuest> {
  const { kernel } = request;
  if (hasLinuxHeader(kernel)) return loadLinux(request);
  const multiboot = findMultibootHeader(kernel);
  if (multiboot !== undefined) return loadMultiboot(request, multiboot);
  if (isElf(kernel)) return loadPvh(request);
  return unrecognised(kernel);
}

function unrecognised(kernel: Uint8Array): BootResult<never> {
  if (kernel.length === 0) return fail('truncated', 'The kernel file is empty.');
  for (const { offset, magic, machine } of foreignImages) {
    if (hasText(kernel, offset, magic)) {
      return fail('wrong-architecture', `The kernel is for ${machine}; this guest is an x86 PC.`);
    }
  }
  for (const { offset, magic, advice } of mistaken) {
    if (hasText(kernel, offset, magic)) return fail('not-a-kernel', `The kernel file ${advice}.`);
  }
  if (kernel.length < shortestKernel) {
    return fail(
      'truncated',
      `The kernel file has only ${formatSize(kernel.length)}, too few for any kernel; copy it again.`,
    );
  }
  return fail(
    'not-a-kernel',
    'The kernel file is no kernel that can be started: it has no Linux boot header, no multiboot header and no ELF header.',
  );
}

/** A Linux boot header ends here. */
const shortestKernel = 0x264;
