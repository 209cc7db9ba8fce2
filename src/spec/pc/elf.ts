/** Executable and Linkable Format. System V ABI, chapters 4 and 5; Xen's notes from xen/include/public/elfnote.h. */
export const elf = {
  /** 0x7F "ELF", little-endian. */
  magic: 0x464c_457f,
  classOffset: 4,
  dataOffset: 5,
  class32: 1,
  class64: 2,
  littleEndian: 1,
  machineOffset: 0x12,
  machine386: 3,
  machineX8664: 62,
  programLoad: 1,
  programNote: 4,
} as const;

/** Offsets of header fields, by class. */
export const elfHeader32 = { bytes: 52, entry: 0x18, phoff: 0x1c, phentsize: 0x2a, phnum: 0x2c } as const;
export const elfHeader64 = { bytes: 64, entry: 0x18, phoff: 0x20, phentsize: 0x36, phnum: 0x38 } as const;

/** Offsets of program header fields, by class. */
export const elfProgram32 = {
  bytes: 32,
  type: 0,
  offset: 4,
  vaddr: 8,
  paddr: 12,
  filesz: 16,
  memsz: 20,
  align: 28,
} as const;
export const elfProgram64 = {
  bytes: 56,
  type: 0,
  offset: 8,
  vaddr: 16,
  paddr: 24,
  filesz: 32,
  memsz: 40,
  align: 48,
} as const;

/** Machines that people are likely to have kernels for. */
export const elfMachineNames: ReadonlyMap<number, string> = new Map([
  [2, 'SPARC'],
  [8, 'MIPS'],
  [20, '32-bit PowerPC'],
  [21, '64-bit PowerPC'],
  [22, 'S/390'],
  [40, '32-bit ARM'],
  [43, '64-bit SPARC'],
  [50, 'Itanium'],
  [183, '64-bit ARM'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

/** The note that holds the 32-bit entry point of a PVH kernel. */
export const pvhNote = { name: 'Xen', type: 18 } as const;

/** struct hvm_start_info, version 1. xen/include/public/arch-x86/hvm/start_info.h. */
export const pvhStartInfo = {
  bytes: 56,
  magicValue: 0x336e_c578,
  versionValue: 1,
  magic: 0,
  version: 4,
  flags: 8,
  moduleCount: 12,
  modules: 16,
  commandLine: 24,
  rsdp: 32,
  memoryMap: 40,
  memoryMapEntries: 48,
  moduleBytes: 32,
  memoryMapEntryBytes: 24,
} as const;
