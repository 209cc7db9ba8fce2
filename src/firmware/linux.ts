/** Loads a Linux bzImage and enters it by the 64-bit or 32-bit boot protocol. Documentation/arch/x86/boot.rst. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { pageSize } from '../memory/guest-memory.ts';
import { pcMemory } from '../spec/pc/e820.ts';
import { bootParams, linuxBoot, setupHeader } from '../spec/pc/linux-boot.ts';
import { fail, ok } from '../support/result.ts';
import { bootGdtBytes, writeBootGdt } from './boot-gdt.ts';
import { type BootRequest, type BootResult, type LoadedGuest, placeData } from './boot-request.ts';
import { longModeState, protectedModeState } from './cpu-state.ts';
import { FreeSpace } from './free-space.ts';
import { identityPagingBytes, writeIdentityPaging } from './identity-paging.ts';
import { type LinuxHeader, parseLinuxHeader } from './linux-header.ts';
import { encodeCString, formatSize, hex } from './text.ts';

/** Where the pieces of a Linux guest lie. */
interface Placement {
  readonly kernel: number;
  readonly initrd: number;
  readonly initrdLength: number;
  readonly commandLine: number;
  readonly bootParams: number;
  readonly gdt: number;
  readonly pageTables: number;
  readonly stackTop: number;
}

export function loadLinux(request: BootRequest): BootResult<LoadedGuest> {
  const parsed = parseLinuxHeader(request.kernel);
  if (!parsed.ok) return parsed;
  const header = parsed.value;
  if ((request.modules ?? []).length > 0) {
    return fail('unsupported', 'A Linux kernel takes an initrd, not modules; pass the file with --initrd.');
  }
  const commandLine = encodeCString(request.commandLine);
  const wrong = checkCommandLine(commandLine, header);
  if (wrong !== undefined) return wrong;
  const placed = place(request, header, commandLine.length);
  if (!placed.ok) return placed;
  const placement = placed.value;

  const { memory, kernel } = request;
  memory.write(placement.kernel, kernel.subarray(header.codeOffset, header.codeOffset + header.codeLength));
  if (placement.initrdLength > 0 && request.initrd !== undefined) {
    const initrd = placeData(memory, placement.initrd, request.initrd);
    if (!initrd.ok) return initrd;
  }
  memory.write(placement.commandLine, commandLine);
  writeBootParams(request, header, placement);
  return ok(enter(memory, header, placement));
}

function checkCommandLine(terminated: Uint8Array, header: LinuxHeader): BootResult<never> | undefined {
  const length = terminated.length - 1;
  if (terminated.indexOf(0) !== length) {
    return fail('bad-command-line', 'The kernel command line contains a zero byte; remove it.');
  }
  if (length > header.commandLineSize) {
    const limit = header.commandLineSize;
    return fail('bad-command-line', `The kernel command line has ${length} bytes; this kernel takes ${limit} at most.`);
  }
  return undefined;
}

function place(request: BootRequest, header: LinuxHeader, commandLineBytes: number): BootResult<Placement> {
  const space = new FreeSpace(request.memoryMap);
  const kernel = placeKernel(space, header);
  if (!kernel.ok) return kernel;
  const initrdLength = request.initrd?.length ?? 0;
  const initrd = initrdLength === 0 ? 0 : placeInitrd(space, header, initrdLength);
  if (typeof initrd !== 'number') return initrd;
  const pieces = [bootGdtBytes, bootParams.bytes, identityPagingBytes, pageSize, commandLineBytes];
  const [gdt, params, pageTables, stack, commandLine] = pieces.map((length) =>
    space.takeLowest(length, pageSize, 0, pcMemory.videoMemory),
  );
  const complete = gdt !== undefined && params !== undefined && pageTables !== undefined && stack !== undefined;
  if (!complete || commandLine === undefined) {
    return fail('does-not-fit', 'The boot parameters do not fit below 640 KiB; give the guest more RAM with --memory.');
  }
  const stackTop = stack + pageSize;
  return ok({ kernel: kernel.value, initrd, initrdLength, gdt, bootParams: params, pageTables, stackTop, commandLine });
}

/**
 * Chooses the load address and reserves what the kernel runs in. A relocatable kernel goes to its preferred address or
 * else to the lowest aligned one above it, since it would move itself up from below; another one is loaded where its
 * header says and moves itself to the preferred address.
 */
function placeKernel(space: FreeSpace, header: LinuxHeader): BootResult<number> {
  const needed = Math.max(header.initSize, header.codeLength);
  const preferred = header.preferredAddress;
  const lowest = Math.max(pcMemory.extendedMemory, preferred);
  const tooBig = (): BootResult<never> =>
    fail(
      'does-not-fit',
      `The kernel needs ${formatSize(needed)} of contiguous RAM from ${hex(lowest)} on and the guest has ` +
        `${formatSize(space.ramBytes)} in all; give it more with --memory.`,
    );
  if (header.relocatable) {
    const address =
      space.takeLowest(needed, header.alignment, lowest) ?? space.takeLowest(needed, header.minAlignment, lowest);
    return address === undefined ? tooBig() : ok(address);
  }
  const load = header.code32Start || linuxBoot.defaultLoadAddress;
  if (load < pcMemory.extendedMemory) {
    return fail('malformed', `The kernel asks to be loaded at ${hex(load)}, below 1 MiB.`);
  }
  if (!space.isFree(load, header.codeLength)) return tooBig();
  space.take(load, header.codeLength);
  const runtime = preferred === 0 ? load : preferred;
  if (!space.isRam(runtime, needed)) return tooBig();
  space.take(runtime, needed);
  return ok(load);
}

/** As high as kernel and RAM allow, so that it stays out of the way of the kernel's first allocations. */
function placeInitrd(space: FreeSpace, header: LinuxHeader, length: number): number | BootResult<never> {
  const address = space.takeHighest(length, pageSize, header.initrdAddressMax + 1);
  if (address !== undefined && address >= pcMemory.extendedMemory) return address;
  return fail(
    'does-not-fit',
    `The initrd of ${formatSize(length)} does not fit next to the kernel into the guest's ${formatSize(space.ramBytes)} ` +
      'of RAM; give it more with --memory.',
  );
}

function writeBootParams(request: BootRequest, header: LinuxHeader, placement: Placement): void {
  const bytes = new Uint8Array(bootParams.bytes);
  const view = new DataView(bytes.buffer);
  bytes.set(request.kernel.subarray(setupHeader.start, header.headerEnd), setupHeader.start);
  view.setUint16(setupHeader.videoMode, linuxBoot.videoModeNormal, true);
  view.setUint8(setupHeader.typeOfLoader, linuxBoot.loaderUndefined);
  view.setUint8(setupHeader.loadFlags, view.getUint8(setupHeader.loadFlags) & ~linuxBoot.quiet);
  view.setUint32(setupHeader.code32Start, placement.kernel, true);
  view.setUint32(setupHeader.ramdiskImage, placement.initrd, true);
  view.setUint32(setupHeader.ramdiskSize, placement.initrdLength, true);
  view.setUint32(setupHeader.commandLinePointer, placement.commandLine, true);
  if (header.version >= linuxBoot.version210) view.setBigUint64(setupHeader.setupData, 0n, true);
  if (header.relocatable && placement.kernel % header.alignment !== 0) {
    view.setUint32(setupHeader.kernelAlignment, header.minAlignment, true);
  }
  view.setBigUint64(bootParams.acpiRsdpAddress, BigInt(request.rsdpAddress), true);
  const map = request.memoryMap.slice(0, bootParams.e820MaxEntries);
  view.setUint8(bootParams.e820Entries, map.length);
  for (const [index, range] of map.entries()) {
    const entry = bootParams.e820Table + index * bootParams.e820EntryBytes;
    view.setBigUint64(entry, BigInt(range.start), true);
    view.setBigUint64(entry + 8, BigInt(range.length), true);
    view.setUint32(entry + 16, range.type, true);
  }
  request.memory.write(placement.bootParams, bytes);
}

function enter(memory: GuestMemory, header: LinuxHeader, placement: Placement): LoadedGuest {
  const registers = { rsi: placement.bootParams, rsp: placement.stackTop };
  if (!header.kernel64) {
    const gdtr = writeBootGdt(memory, placement.gdt, 32);
    return { protocol: 'linux-32', state: protectedModeState({ ...registers, rip: placement.kernel }, gdtr) };
  }
  writeIdentityPaging(memory, placement.pageTables);
  const gdtr = writeBootGdt(memory, placement.gdt, 64);
  const rip = placement.kernel + linuxBoot.entry64Offset;
  return { protocol: 'linux-64', state: longModeState({ ...registers, rip }, gdtr, placement.pageTables) };
}
