/** SMBIOS 3 tables: what the machine tells about itself to people. SMBIOS Reference Specification 3.0 (DSP0134). */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { e820Type, pcMemory } from '../spec/pc/e820.ts';
import { smbios, smbiosType, smbiosValue } from '../spec/pc/smbios.ts';
import type { MemoryRange } from './memory-map.ts';
import { SmbiosStructure } from './smbios-structure.ts';

export interface SmbiosMachine {
  readonly version: string;
  /** 16 bytes in the order in which people write them. */
  readonly uuid: Uint8Array;
  readonly processorName: string;
  /** Cores of each socket, and threads of each core. */
  readonly processors: { readonly sockets: number; readonly cores: number; readonly threads: number };
  readonly memoryMap: readonly MemoryRange[];
}

const manufacturer = 'Corbel';
/** Month, day, year, as the field wants it; nothing depends on it. */
const releaseDate = '01/01/2026';
const kibibyte = 1024;
const mebibyte = 1024 * 1024;
/** Handles are type × 256 + index. */
const handle = (type: number, index = 0): number => type * 256 + index;

/** Writes entry point and structures where guests search for them. @returns the entry point's address. */
export function installSmbios(memory: GuestMemory, machine: SmbiosMachine): number {
  const address = pcMemory.smbiosSearch;
  const tableAddress = address + 2 * smbios.alignment;
  const table = buildSmbiosTable(machine);
  memory.write(tableAddress, table);
  memory.write(address, buildSmbiosEntryPoint(tableAddress, table.length));
  return address;
}

/** The 64-bit entry point. 5.2.2. */
export function buildSmbiosEntryPoint(tableAddress: number, tableBytes: number): Uint8Array {
  const bytes = new Uint8Array(smbios.entryPointBytes);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < smbios.anchor.length; index++) bytes[index] = smbios.anchor.charCodeAt(index);
  bytes.set([smbios.entryPointBytes, smbios.major, smbios.minor, smbios.docrev, smbios.entryPointRevision], 6);
  view.setUint32(12, tableBytes, true);
  view.setBigUint64(16, BigInt(tableAddress), true);
  bytes[5] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

export function buildSmbiosTable(machine: SmbiosMachine): Uint8Array {
  const ram = machine.memoryMap.filter(({ type }) => type === e820Type.ram);
  // What the holes below 1 MiB hide is RAM, too.
  const lowEnd = Math.max(0, ...ram.filter(({ start }) => start < pcMemory.fourGib).map(endOf));
  const high = ram.filter(({ start }) => start >= pcMemory.fourGib);
  const areas = [{ start: 0, end: lowEnd }, ...high.map((range) => ({ start: range.start, end: endOf(range) }))];
  const memoryBytes = areas.reduce((sum, { start, end }) => sum + end - start, 0);
  const structures = [
    bios(machine),
    system(machine),
    chassis(),
    ...Array.from({ length: machine.processors.sockets }, (_, socket) => processor(machine, socket)),
    memoryArray(memoryBytes),
    memoryDevice(memoryBytes),
    ...areas.map(({ start, end }, index) => mappedAddress(start, end, index)),
    new SmbiosStructure(smbiosType.boot, handle(smbiosType.boot)).zeros(6).byte(0),
    new SmbiosStructure(smbiosType.end, handle(smbiosType.end)),
  ];
  return Uint8Array.from(structures.flatMap((structure) => structure.finish()));
}

const endOf = ({ start, length }: MemoryRange): number => start + length;

/** 7.1. */
function bios({ version }: SmbiosMachine): SmbiosStructure {
  const romSegment = pcMemory.firmware >>> 4;
  return new SmbiosStructure(smbiosType.bios, handle(smbiosType.bios))
    .text(manufacturer)
    .text(version)
    .word(romSegment)
    .text(releaseDate)
    .byte((pcMemory.extendedMemory - pcMemory.firmware) / 0x1_0000 - 1)
    .qword(smbiosValue.biosCharacteristicsUnsupported)
    .byte(0)
    .byte(smbiosValue.biosVirtualMachine)
    .byte(0xff)
    .byte(0xff)
    .byte(0xff)
    .byte(0xff);
}

/** 7.2; the first three fields of the UUID are little-endian. */
function system({ version, uuid }: SmbiosMachine): SmbiosStructure {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return new SmbiosStructure(smbiosType.system, handle(smbiosType.system))
    .text(manufacturer)
    .text('Corbel PC')
    .text(version)
    .byte(0)
    .raw(order.map((index) => uuid[index] ?? 0))
    .byte(smbiosValue.wakeUpPowerSwitch)
    .byte(0)
    .byte(0);
}

/** 7.4. */
function chassis(): SmbiosStructure {
  return new SmbiosStructure(smbiosType.chassis, handle(smbiosType.chassis))
    .text(manufacturer)
    .byte(smbiosValue.chassisOther)
    .zeros(3)
    .byte(smbiosValue.stateSafe)
    .byte(smbiosValue.stateSafe)
    .byte(smbiosValue.stateSafe)
    .byte(smbiosValue.securityNone)
    .zeros(8)
    .byte(0);
}

/** 7.5: a socket. Counts that a byte cannot hold are 0xFF there, and stand in the words behind. */
function processor({ processorName, processors }: SmbiosMachine, socket: number): SmbiosStructure {
  const { cores } = processors;
  const threads = cores * processors.threads;
  const byte = (count: number): number => Math.min(count, 0xff);
  const multiCore = cores > 1 ? smbiosValue.processorMultiCore : 0;
  const multiThread = processors.threads > 1 ? smbiosValue.processorMultiThread : 0;
  return new SmbiosStructure(smbiosType.processor, handle(smbiosType.processor, socket))
    .text(`CPU ${socket}`)
    .byte(smbiosValue.processorCentral)
    .byte(smbiosValue.processorFamilyOther)
    .text(manufacturer)
    .zeros(8)
    .text(processorName)
    .zeros(7)
    .byte(smbiosValue.processorEnabled)
    .byte(smbiosValue.processorUpgradeOther)
    .word(0xffff)
    .word(0xffff)
    .word(0xffff)
    .zeros(3)
    .raw([byte(cores), byte(cores), byte(threads)])
    .word(smbiosValue.processor64Bit | multiCore | multiThread)
    .word(smbiosValue.processorFamilyOther)
    .word(cores)
    .word(cores)
    .word(threads);
}

/** 7.17. */
function memoryArray(memoryBytes: number): SmbiosStructure {
  return new SmbiosStructure(smbiosType.memoryArray, handle(smbiosType.memoryArray))
    .byte(smbiosValue.arrayOther)
    .byte(smbiosValue.arrayUseSystem)
    .byte(smbiosValue.arrayCorrectionNone)
    .dword(smbiosValue.arrayUseExtendedCapacity)
    .word(smbiosValue.handleNone)
    .word(1)
    .qword(BigInt(memoryBytes));
}

/** 7.18: sizes up to 32 GiB − 2 MiB stand in the old field, in MiB. */
function memoryDevice(memoryBytes: number): SmbiosStructure {
  const sizeMib = Math.ceil(memoryBytes / mebibyte);
  const extended = sizeMib >= smbiosValue.deviceUseExtendedSize;
  return new SmbiosStructure(smbiosType.memoryDevice, handle(smbiosType.memoryDevice))
    .word(handle(smbiosType.memoryArray))
    .word(smbiosValue.handleNone)
    .word(smbiosValue.widthUnknown)
    .word(smbiosValue.widthUnknown)
    .word(extended ? smbiosValue.deviceUseExtendedSize : sizeMib)
    .byte(smbiosValue.deviceFormDimm)
    .byte(0)
    .text('DIMM 0')
    .byte(0)
    .byte(smbiosValue.deviceTypeRam)
    .word(smbiosValue.deviceDetailOther)
    .word(0)
    .text(manufacturer)
    .zeros(4)
    .dword(extended ? sizeMib : 0)
    .zeros(8);
}

/** 7.20: addresses in KiB, both ends included; from 4 TiB on, in bytes in the extended fields. */
function mappedAddress(start: number, end: number, index: number): SmbiosStructure {
  const extended = end / kibibyte > smbiosValue.mappedUseExtended;
  return new SmbiosStructure(smbiosType.memoryArrayMapped, handle(smbiosType.memoryArrayMapped, index))
    .dword(extended ? smbiosValue.mappedUseExtended : start / kibibyte)
    .dword(extended ? smbiosValue.mappedUseExtended : end / kibibyte - 1)
    .word(handle(smbiosType.memoryArray))
    .byte(1)
    .qword(extended ? BigInt(start) : 0n)
    .qword(extended ? BigInt(end - 1) : 0n);
}
