/** Reads ELF files: program headers and notes. System V ABI chapter 5. */
import { elf, elfHeader32, elfHeader64, elfMachineNames, elfProgram32, elfProgram64 } from '../spec/pc/elf.ts';
import { fail, ok } from '../support/result.ts';
import type { BootResult } from './boot-request.ts';
import { alignUp } from './free-space.ts';
import { hasText, hex } from './text.ts';

interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly alignment: number;
}

export interface ElfFile {
  readonly bits: 32 | 64;
  readonly entry: number;
  /** Segments of type LOAD that take memory. */
  readonly loads: readonly ElfSegment[];
  readonly notes: readonly ElfSegment[];
}

export interface ElfNote {
  readonly descriptor: Uint8Array;
}

/** More than any kernel has; beyond, the file is taken for damaged. */
const maxLoads = 64;

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === elf.magic;
}

/** Reads the headers of an x86 ELF file for which `isElf` holds, and checks that what they point to is in the file. */
export function parseElf(bytes: Uint8Array): BootResult<ElfFile> {
  const truncated = fail('truncated', 'The ELF file ends early; copy the kernel again.');
  if (bytes.length < elfHeader32.bytes) return truncated;
  const view = viewOf(bytes);
  const elfClass = view.getUint8(elf.classOffset);
  if (elfClass !== elf.class32 && elfClass !== elf.class64) {
    return fail('malformed', `The ELF file is of class ${elfClass}, which does not exist.`);
  }
  const foreign = foreignMachine(view);
  if (foreign !== undefined) return foreign;
  const bits = elfClass === elf.class64 ? 64 : 32;
  const header = bits === 64 ? elfHeader64 : elfHeader32;
  const program = bits === 64 ? elfProgram64 : elfProgram32;
  if (bytes.length < header.bytes) return truncated;
  const first = word(view, header.phoff, bits);
  const entryBytes = view.getUint16(header.phentsize, true);
  const count = view.getUint16(header.phnum, true);
  if (count > 0 && entryBytes < program.bytes) {
    return fail('malformed', `The ELF file has program headers of ${entryBytes} bytes; they need ${program.bytes}.`);
  }
  if (first + count * entryBytes > bytes.length) return truncated;
  const loads: ElfSegment[] = [];
  const notes: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const segment = readSegment(view, first + index * entryBytes, bits);
    if (segment.type === elf.programLoad && segment.memorySize > 0) loads.push(segment);
    if (segment.type === elf.programNote) notes.push(segment);
    if (loads.length > maxLoads || notes.length > maxLoads) {
      return fail('malformed', `The ELF file has more than ${maxLoads} segments of one kind.`);
    }
  }
  for (const segment of loads) {
    if (segment.fileSize > segment.memorySize) {
      return fail(
        'malformed',
        `The ELF segment at ${hex(segment.physicalAddress)} is larger in the file than in memory.`,
      );
    }
  }
  if ([...loads, ...notes].some(({ offset, fileSize }) => offset + fileSize > bytes.length)) return truncated;
  if (loads.length === 0) return fail('malformed', 'The ELF file has nothing to load.');
  return ok({ bits, entry: word(view, header.entry, bits), loads, notes });
}

function foreignMachine(view: DataView): BootResult<never> | undefined {
  if (view.getUint8(elf.dataOffset) !== elf.littleEndian) {
    return fail('wrong-architecture', 'The kernel is for a big-endian machine; this guest is an x86 PC.');
  }
  const machine = view.getUint16(elf.machineOffset, true);
  if (machine === elf.machine386 || machine === elf.machineX8664) return undefined;
  const name = elfMachineNames.get(machine) ?? `ELF machine ${machine}`;
  return fail('wrong-architecture', `The kernel is for ${name}; this guest is an x86 PC.`);
}

function readSegment(view: DataView, at: number, bits: 32 | 64): ElfSegment {
  const program = bits === 64 ? elfProgram64 : elfProgram32;
  return {
    type: view.getUint32(at + program.type, true),
    offset: word(view, at + program.offset, bits),
    virtualAddress: word(view, at + program.vaddr, bits),
    physicalAddress: word(view, at + program.paddr, bits),
    fileSize: word(view, at + program.filesz, bits),
    memorySize: word(view, at + program.memsz, bits),
    alignment: word(view, at + program.align, bits),
  };
}

/** The first note with this name and type. Malformed notes end the search in their segment. */
export function findNote(bytes: Uint8Array, file: ElfFile, name: string, type: number): ElfNote | undefined {
  const view = viewOf(bytes);
  for (const segment of file.notes) {
    const alignment = segment.alignment === 8 ? 8 : 4;
    const end = segment.offset + segment.fileSize;
    let at = segment.offset;
    while (at + 12 <= end) {
      const nameSize = view.getUint32(at, true);
      const descriptorSize = view.getUint32(at + 4, true);
      const descriptor = alignUp(at + 12 + nameSize - segment.offset, alignment) + segment.offset;
      if (descriptor + descriptorSize > end) break;
      const matches = nameSize === name.length + 1 && hasText(bytes, at + 12, `${name}\0`);
      if (matches && view.getUint32(at + 8, true) === type) {
        return { descriptor: bytes.subarray(descriptor, descriptor + descriptorSize) };
      }
      at = alignUp(descriptor + descriptorSize - segment.offset, alignment) + segment.offset;
    }
  }
  return undefined;
}

/** An address-sized word. What does not fit into 2^53 is far outside every file and guest, and stays so when rounded. */
function word(view: DataView, at: number, bits: 32 | 64): number {
  return bits === 64 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
