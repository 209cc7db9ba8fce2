/** Loads a Multiboot 1 kernel with its modules. Multiboot Specification 0.6.96, chapter 3. */
import { type GuestMemory, pageSize } from '../memory/guest-memory.ts';
import { pcMemory } from '../spec/pc/e820.ts';
import { multiboot } from '../spec/pc/multiboot.ts';
import { fail, ok } from '../support/result.ts';
import { bootGdtBytes, writeBootGdt } from './boot-gdt.ts';
import {
  allModules,
  type BootModule,
  type BootRequest,
  type BootResult,
  type LoadedGuest,
  placeData,
} from './boot-request.ts';
import { protectedModeState } from './cpu-state.ts';
import { type ElfFile, isElf, parseElf } from './elf.ts';
import { FreeSpace } from './free-space.ts';
import { isLoaded, type LoadSegment, loadSegments } from './load-segments.ts';
import type { MultibootHeader } from './multiboot-header.ts';
import { type MultibootModule, writeMultibootInfo } from './multiboot-info.ts';
import { elfSegments } from './pvh.ts';
import { formatSize, hex } from './text.ts';

interface Image {
  readonly segments: readonly LoadSegment[];
  readonly entry: number;
}

/**
 * Loads a kernel in which `header` was found. A wish for a video mode is not met: the information says that there is no
 * video information, as it does on a machine without a display.
 */
export function loadMultiboot(request: BootRequest, header: MultibootHeader): BootResult<LoadedGuest> {
  const known = multiboot.alignModules | multiboot.wantMemory | multiboot.wantVideo;
  const unknown = header.flags & multiboot.mandatoryMask & ~known;
  if (unknown !== 0) {
    return fail('unsupported', `The multiboot kernel demands features ${hex(unknown)} that no loader defines.`);
  }
  const image = header.addresses === undefined ? elfImage(request.kernel) : addressedImage(request.kernel, header);
  if (!image.ok) return image;
  const { segments, entry } = image.value;
  if (!isLoaded(segments, entry))
    return fail('malformed', `The kernel's entry ${hex(entry)} is outside what it loads.`);
  const space = new FreeSpace(request.memoryMap);
  const end = loadSegments(request.memory, space, segments);
  if (!end.ok) return end;
  const modules = placeModules(request.memory, space, allModules(request), end.value);
  if (!modules.ok) return modules;
  const gdt = space.takeLowest(bootGdtBytes, pageSize);
  const info = writeMultibootInfo(request, space, modules.value);
  if (gdt === undefined || info === undefined) {
    return fail(
      'does-not-fit',
      'There is no room for the multiboot information; give the guest more RAM with --memory.',
    );
  }
  const gdtr = writeBootGdt(request.memory, gdt, 32);
  const state = protectedModeState({ rip: entry, rax: multiboot.bootMagic, rbx: info }, gdtr);
  return ok({ protocol: 'multiboot', state });
}

function elfImage(kernel: Uint8Array): BootResult<Image> {
  if (!isElf(kernel)) {
    return fail('malformed', 'The multiboot kernel has neither load addresses nor ELF headers; build it as ELF.');
  }
  const parsed = parseElf(kernel);
  return parsed.ok ? ok({ segments: elfSegments(kernel, parsed.value), entry: physicalEntry(parsed.value) }) : parsed;
}

/** Kernels that are linked to a virtual address give a virtual entry; the segment that holds it tells the physical one. */
function physicalEntry(file: ElfFile): number {
  const home = file.loads.find(
    ({ virtualAddress, memorySize }) => file.entry >= virtualAddress && file.entry < virtualAddress + memorySize,
  );
  return home === undefined ? file.entry : file.entry - home.virtualAddress + home.physicalAddress;
}

function addressedImage(kernel: Uint8Array, header: MultibootHeader): BootResult<Image> {
  const { addresses } = header;
  if (addresses === undefined) return fail('malformed', 'The multiboot header has no load addresses.');
  const { header: headerAddress, load, loadEnd, bssEnd, entry } = addresses;
  const start = header.offset - (headerAddress - load);
  if (headerAddress < load || start < 0) {
    return fail('malformed', `The multiboot header says that it is at ${hex(headerAddress)}, before what it loads.`);
  }
  const length = loadEnd === 0 ? kernel.length - start : loadEnd - load;
  if (length <= 0) return fail('malformed', `The multiboot kernel loads from ${hex(load)} to ${hex(loadEnd)}.`);
  if (start + length > kernel.length) {
    const wanted = formatSize(start + length);
    return fail(
      'truncated',
      `The kernel file should have ${wanted} but has ${formatSize(kernel.length)}; copy it again.`,
    );
  }
  const memorySize = bssEnd === 0 ? length : bssEnd - load;
  if (memorySize < length) {
    return fail('malformed', `The multiboot kernel ends its zero-filled area at ${hex(bssEnd)}, inside what it loads.`);
  }
  return ok({ segments: [{ physicalAddress: load, memorySize, data: kernel.subarray(start, start + length) }], entry });
}

/** Right behind the kernel, page-aligned, in order, as multiboot kernels expect. */
function placeModules(
  memory: GuestMemory,
  space: FreeSpace,
  modules: readonly BootModule[],
  kernelEnd: number,
): BootResult<MultibootModule[]> {
  const placed: MultibootModule[] = [];
  let from = Math.max(kernelEnd, pcMemory.extendedMemory);
  for (const { data, commandLine } of modules) {
    const start = space.takeLowest(Math.max(data.length, 1), pageSize, from);
    if (start === undefined) {
      return fail(
        'does-not-fit',
        `The module of ${formatSize(data.length)} does not fit behind the kernel into the guest's ` +
          `${formatSize(space.ramBytes)} of RAM; give it more with --memory.`,
      );
    }
    const written = placeData(memory, start, data);
    if (!written.ok) return written;
    from = start + data.length;
    placed.push({ start, end: from, commandLine });
  }
  return ok(placed);
}
