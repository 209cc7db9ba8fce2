/** Loads an ELF kernel with a PVH note and enters it in 32-bit protected mode. Xen docs/misc/pvh.pandoc. */
import { type GuestMemory, pageSize } from '../memory/guest-memory.ts';
import { pcMemory } from '../spec/pc/e820.ts';
import { pvhNote, pvhStartInfo } from '../spec/pc/elf.ts';
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
import { type ElfFile, findNote, parseElf } from './elf.ts';
import { alignUp, FreeSpace } from './free-space.ts';
import { isLoaded, type LoadSegment, loadSegments } from './load-segments.ts';
import { encodeCString, formatSize, hex } from './text.ts';

export function loadPvh(request: BootRequest): BootResult<LoadedGuest> {
  const { kernel, memory } = request;
  const parsed = parseElf(kernel);
  if (!parsed.ok) return parsed;
  const segments = elfSegments(kernel, parsed.value);
  const entry = findEntry(kernel, parsed.value);
  if (entry === undefined) {
    return fail(
      'unsupported',
      'The ELF file has neither a PVH note nor a multiboot header, so there is no way to start it; ' +
        'use a bzImage or a kernel built with CONFIG_PVH.',
    );
  }
  if (!isLoaded(segments, entry))
    return fail('malformed', `The kernel's PVH entry ${hex(entry)} is outside its segments.`);
  const space = new FreeSpace(request.memoryMap);
  const loaded = loadSegments(memory, space, segments);
  if (!loaded.ok) return loaded;
  const modules = placeModules(memory, space, allModules(request));
  if (!modules.ok) return modules;
  const gdt = space.takeLowest(bootGdtBytes, pageSize);
  const info = writeStartInfo(request, space, modules.value);
  if (gdt === undefined || info === undefined) {
    return fail('does-not-fit', 'There is no room for the start information; give the guest more RAM with --memory.');
  }
  const gdtr = writeBootGdt(memory, gdt, 32);
  return ok({ protocol: 'pvh', state: protectedModeState({ rip: entry, rbx: info }, gdtr) });
}

/** The loadable segments with their bytes. */
export function elfSegments(kernel: Uint8Array, file: ElfFile): LoadSegment[] {
  return file.loads.map(({ physicalAddress, memorySize, offset, fileSize }) => ({
    physicalAddress,
    memorySize,
    data: kernel.subarray(offset, offset + fileSize),
  }));
}

/** The physical address in the note: 4 bytes, or 8 in some 64-bit kernels. */
function findEntry(kernel: Uint8Array, file: ElfFile): number | undefined {
  const descriptor = findNote(kernel, file, pvhNote.name, pvhNote.type)?.descriptor;
  if (descriptor === undefined || descriptor.length < 4) return undefined;
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.length);
  return descriptor.length >= 8 ? Number(view.getBigUint64(0, true)) : view.getUint32(0, true);
}

interface PlacedModule {
  readonly address: number;
  readonly length: number;
  readonly commandLine: string;
}

/** High in RAM, page-aligned: a kernel's early allocations come after its image. */
function placeModules(
  memory: GuestMemory,
  space: FreeSpace,
  modules: readonly BootModule[],
): BootResult<PlacedModule[]> {
  const placed: PlacedModule[] = [];
  for (const { data, commandLine } of modules) {
    const address = space.takeHighest(Math.max(data.length, 1), pageSize, pcMemory.fourGib);
    if (address === undefined) {
      return fail(
        'does-not-fit',
        `The initrd or module of ${formatSize(data.length)} does not fit next to the kernel into the guest's ` +
          `${formatSize(space.ramBytes)} of RAM; give it more with --memory.`,
      );
    }
    const written = placeData(memory, address, data);
    if (!written.ok) return written;
    placed.push({ address, length: data.length, commandLine });
  }
  return ok(placed);
}

/** Writes hvm_start_info and everything it points to, in one piece. @returns its address. */
function writeStartInfo(request: BootRequest, space: FreeSpace, modules: readonly PlacedModule[]): number | undefined {
  const { memory, memoryMap } = request;
  const mapAt = alignUp(pvhStartInfo.bytes, 8);
  const modulesAt = mapAt + memoryMap.length * pvhStartInfo.memoryMapEntryBytes;
  const textsAt = modulesAt + modules.length * pvhStartInfo.moduleBytes;
  const texts = [request.commandLine, ...modules.map((module) => module.commandLine)].map(encodeCString);
  const length = textsAt + texts.reduce((sum, text) => sum + text.length, 0);
  const base = space.takeLowest(length, pageSize);
  if (base === undefined) return undefined;
  let next = base + textsAt;
  const [commandLine, ...moduleTexts] = texts.map((text) => {
    const at = next;
    memory.write(at, text);
    next += text.length;
    return at;
  });
  memory.write(base, new Uint8Array(textsAt));
  memory.writeU32(base + pvhStartInfo.magic, pvhStartInfo.magicValue);
  memory.writeU32(base + pvhStartInfo.version, pvhStartInfo.versionValue);
  memory.writeU32(base + pvhStartInfo.moduleCount, modules.length);
  memory.writeU64(base + pvhStartInfo.modules, BigInt(modules.length === 0 ? 0 : base + modulesAt));
  memory.writeU64(base + pvhStartInfo.commandLine, BigInt(commandLine ?? 0));
  memory.writeU64(base + pvhStartInfo.rsdp, BigInt(request.rsdpAddress));
  memory.writeU64(base + pvhStartInfo.memoryMap, BigInt(base + mapAt));
  memory.writeU32(base + pvhStartInfo.memoryMapEntries, memoryMap.length);
  for (const [index, range] of memoryMap.entries()) {
    const at = base + mapAt + index * pvhStartInfo.memoryMapEntryBytes;
    memory.writeU64(at, BigInt(range.start));
    memory.writeU64(at + 8, BigInt(range.length));
    memory.writeU32(at + 16, range.type);
  }
  for (const [index, module] of modules.entries()) {
    const at = base + modulesAt + index * pvhStartInfo.moduleBytes;
    memory.writeU64(at, BigInt(module.address));
    memory.writeU64(at + 8, BigInt(module.length));
    memory.writeU64(at + 16, BigInt(moduleTexts[index] ?? 0));
  }
  return base;
}
