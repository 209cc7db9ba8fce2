/** The information that a Multiboot 1 kernel finds through EBX. Multiboot Specification 0.6.96, 3.3. */
import { pageSize } from '../memory/guest-memory.ts';
import { e820Type, pcMemory } from '../spec/pc/e820.ts';
import { multibootInfo as layout } from '../spec/pc/multiboot.ts';
import type { BootRequest } from './boot-request.ts';
import { alignUp, type FreeSpace } from './free-space.ts';
import type { MemoryRange } from './memory-map.ts';
import { encodeCString } from './text.ts';

const loaderName = 'Corbel';

export interface MultibootModule {
  readonly start: number;
  readonly end: number;
  readonly commandLine: string;
}

/** Writes the structure and everything it points to, in one piece below 1 MiB if there is room. @returns its address. */
export function writeMultibootInfo(
  request: BootRequest,
  space: FreeSpace,
  modules: readonly MultibootModule[],
): number | undefined {
  const { memory, memoryMap } = request;
  const mapAt = alignUp(layout.bytes, 8);
  const modulesAt = mapAt + memoryMap.length * layout.mapEntryBytes;
  const textsAt = modulesAt + modules.length * layout.moduleBytes;
  const texts = [request.commandLine, loaderName, ...modules.map((module) => module.commandLine)].map(encodeCString);
  const base = space.takeLowest(textsAt + texts.reduce((sum, text) => sum + text.length, 0), pageSize);
  if (base === undefined) return undefined;
  let next = base + textsAt;
  const [commandLine, name, ...moduleTexts] = texts.map((text) => {
    const at = next;
    memory.write(at, text);
    next += text.length;
    return at;
  });
  memory.write(base, new Uint8Array(textsAt));
  const field = (offset: number, value: number): void => memory.writeU32(base + offset, value);
  field(
    layout.flags,
    layout.hasMemory | layout.hasCommandLine | layout.hasModules | layout.hasMap | layout.hasLoaderName,
  );
  field(layout.memLower, ramFrom(memoryMap, 0) / 1024);
  field(layout.memUpper, ramFrom(memoryMap, pcMemory.extendedMemory) / 1024);
  field(layout.commandLine, commandLine ?? 0);
  field(layout.moduleCount, modules.length);
  field(layout.modules, base + modulesAt);
  field(layout.mapLength, memoryMap.length * layout.mapEntryBytes);
  field(layout.mapAddress, base + mapAt);
  field(layout.loaderName, name ?? 0);
  for (const [index, module] of modules.entries()) {
    const at = modulesAt + index * layout.moduleBytes;
    field(at, module.start);
    field(at + 4, module.end);
    field(at + 8, moduleTexts[index] ?? 0);
  }
  for (const [index, range] of memoryMap.entries()) {
    const at = base + mapAt + index * layout.mapEntryBytes;
    // The size of an entry does not count itself.
    memory.writeU32(at, layout.mapEntryBytes - 4);
    memory.writeU64(at + 4, BigInt(range.start));
    memory.writeU64(at + 12, BigInt(range.length));
    memory.writeU32(at + 20, range.type);
  }
  return base;
}

/** Bytes of the RAM range that starts at `start`. */
function ramFrom(map: readonly MemoryRange[], start: number): number {
  return map.find((range) => range.start === start && range.type === e820Type.ram)?.length ?? 0;
}
