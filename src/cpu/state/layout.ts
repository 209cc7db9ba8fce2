/**
 * The vCPU's own memory (WebAssembly memory 0): the only table of offsets. Emitted code, slow paths and saved state
 * all go by it. Integers are little-endian; `i64` fields are 8-byte aligned.
 */

/** Architectural and engine state, from address 0. */
export const state = {
  /** RAX…R15, i64 each, numbered as ModRM numbers them. */
  gpr: 0x000,
  /** Always 0: what a memory operand without base or index reads. */
  zero: 0x080,
  /** i64. Instruction pointer (offset in CS); exact only outside emitted code. */
  rip: 0x088,
  /** i64. Instruction pointer of byte 0 of the page that the running records were decoded from. */
  codeBase: 0x090,
  /** i64. Sign-extended result that ZF, SF and PF are read from; see `flags.ts`. */
  flagResult: 0x098,
  /** i32. CF, OF, AF and corrections of SF and PF; see `flags.ts`. */
  flagAux: 0x0a0,
  /** i32. EFLAGS without the six status flags; bit 1 set. */
  eflags: 0x0a4,
  /** i32. Non-zero after a faulting access or check: the vector + 1. */
  fault: 0x0ac,
  faultError: 0x0b0,
  /** i32. 1 if the fault pushes an error code. */
  faultHasError: 0x0b4,
  /** i32. Address of the TLB set that the current privilege uses. */
  tlbBase: 0x0b8,
  /** i32. What code is decoded and translated for, never 0; see `block-key.ts`. */
  blockKey: 0x0bc,
  /** i32. The record at which emitted code was left. */
  record: 0x0c0,
  /** i32. Instructions that may still run before emitted code returns. */
  budget: 0x0c4,
  /** i64. Mask of the stack pointer: 16, 32 or 64 bits by SS.B and mode. */
  stackMask: 0x0c8,
  /** i64. The operand of an access on its way through the slow path. */
  accessLinear: 0x0d8,
  /** 4 × i64. Arguments and results of slow paths; the first two also carry 128-bit accesses. */
  scratch: 0x0e0,
  /** 10 × 32 bytes, numbered by `segmentIndex`; see `segmentField`. */
  segments: 0x100,
  gdtr: 0x240,
  idtr: 0x250,
  cr0: 0x260,
  cr2: 0x268,
  cr3: 0x270,
  cr4: 0x278,
  efer: 0x280,
  xcr0: 0x288,
  /** i64 each: DR0–DR3, (4, 5 unused,) DR6, DR7. */
  dr: 0x290,
  /** i32. `shadowBit`s: what the previous instruction holds off. */
  shadow: 0x2d0,
  cpl: 0x2d4,
  mxcsr: 0x2d8,
  /** i32. 0, or the vector + 1 that any SSE instruction raises now (#UD, #NM by CR0.EM, CR0.TS, CR4.OSFXSR). */
  sseFault: 0x2dc,
  /** i32. The same for MMX (#UD, #NM). */
  mmxFault: 0x2e0,
  /** i32. The same for x87 (#NM by CR0.EM, CR0.TS). */
  x87Fault: 0x2e4,
  /** i64. CS base as instruction fetch sees it: 0 in 64-bit mode. */
  codeSegmentBase: 0x2e8,
  /** i64. What linear addresses are cut to: all ones in 64-bit mode, 32 bits elsewhere. */
  linearMask: 0x2f0,
  /** i64. IA32_KERNEL_GS_BASE, what SWAPGS swaps with. */
  kernelGsBase: 0x2f8,
  /** i32. 1 if state.rip, not the record that ran last, says where the recorded fault happened. */
  faultExact: 0x508,
  /** i32. 1 while a REP instruction has rounds to go: events that come between have RF set in the saved flags. */
  midRepeat: 0x50c,
  /** i32. Rounds that a REP instruction may run before it restarts: 1 while every one can trap. */
  repeatLimit: 0x500,
  /** i32. What of the spent budget went to something else than one instruction each: rounds of REP, faults. */
  extraCost: 0x510,
  /** i32. Negative when the running slice should end; looked at together with the budget at every control transfer. */
  request: 0x514,
  /** i32. 0: flagResult and flagAux hold the status flags. Otherwise they follow from flagA and flagB; see `flags.ts`. */
  flagKind: 0x518,
  /** 2 × i64. */
  flagA: 0x520,
  flagB: 0x528,
  /** i32. 1 if an interrupt waits for IF: what sets IF has to make sure that it is delivered. */
  interruptWaiting: 0x51c,
  /** i64. The decoding mode as jump-cache tags have it: (mode index + 1) << 32. */
  jumpTag: 0x530,
  /** 16 × 16 bytes. */
  xmm: 0x300,
  /** 8 × 16 bytes, physical registers R0–R7: significand i64, sign and exponent u16. MMX registers alias these. */
  fpr: 0x400,
  fcw: 0x480,
  fsw: 0x484,
  /** i32. One bit per physical register: 1 = not empty. */
  ftwValid: 0x488,
  /** i32. Last x87 opcode; i64 instruction and data pointers. */
  fop: 0x48c,
  fip: 0x490,
  fdp: 0x498,
  fcs: 0x4a0,
  fds: 0x4a4,
  /** 2 × 16 bytes. Operands and result of SSE slow paths. */
  vectorScratch: 0x4d0,
  /** i64 each: IA32_STAR, IA32_LSTAR, IA32_FMASK, which SYSCALL and SYSRET read. */
  star: 0x540,
  lstar: 0x548,
  fmask: 0x550,
  /** i64. Where the last STI that set IF without a slow path went on: no interrupt comes before that instruction. */
  afterSti: 0x558,
  end: 0x560,
} as const;

/** Words of the engine that belong to no saved state. */
export const engine = {
  /** i32. Moves on by `mappingStep` whenever the code TLB forgets code, and when regions come or go; see `mapping.ts`. */
  mapping: 0x570,
  /** i32. 1 if a region ran last, 0 if the interpreter did. */
  translated: 0x574,
  /** i32. The budget when the interpreter was entered last; i64, what it has spent in all. */
  entryBudget: 0x578,
  interpreted: 0x580,
  /** i32. The code key (see `block-key.ts`) of what runs; i32 each: code key and TLB set of user code in the present address space. */
  codeKey: 0x588,
  userKey: 0x58c,
  userTlb: 0x590,
  /** i32. 1 if the load of a segment register made another kind of code of what runs (`modeBits.flat32`): it is to be found anew. */
  kindChanged: 0x594,
  /** i64. Looks into the TLB that emitted code has made, if they are counted. */
  tlbLookups: 0x598,
  /** i32. Which pages of the running region are where it expects them, a bit each, if it has several. */
  placed: 0x5a0,
  /** i32. Rounds of its counter after which a record is hot; see `recordHeat` and `TranslationPace`. */
  hotAfter: 0x5a4,
  /** i32. Where the root of 4-level paging lies in RAM; 1 while walks are not to be done in WebAssembly. See `page-walk.ts`. */
  walkRoot: 0x5a8,
  /** i32 each: pages of RAM, and those of them that lie below 4 GiB. */
  ramPages: 0x5ac,
  lowPages: 0x5b0,
  /** i32. See `PageUsers.writerBit`. */
  writerBit: 0x5b4,
  /** i64. Entries that WebAssembly has made in the TLB. */
  tlbFills: 0x5b8,
  /** i64. Bits of a paging structure's entry that tell whether a walk in WebAssembly can go on: present, accessed, and what is reserved. */
  walkMask: 0x5c0,
} as const;

/** Where slow paths put an FXSAVE, XSAVE or FSAVE image together: as long as the XSAVE area, no part of saved state. */
export const fpuImage = { base: 0x600, size: 0x240 } as const;

/** Fields of a segment register of `state.segments`, 32 bytes apart. */
export const segmentField = {
  /** i64. */
  base: 0,
  /** i32, in bytes, already scaled by G. */
  limit: 8,
  /** i32. */
  selector: 12,
  /** i32. Descriptor bits 40–55 (type, S, DPL, P, AVL, L, D/B, G). */
  attributes: 16,
  /** i32. `segmentAccess` bits, what loads and stores check. */
  access: 20,
  size: 32,
} as const;

/** `whole`: all offsets of 32 bits lie within the limit. */
export const segmentAccess = { read: 1, write: 2, expandDown: 4, big: 8, whole: 16 } as const;

/**
 * `flat` and `flatStack` are what the bases of ES, CS, DS and SS count for in 64-bit mode: always 0. (The latter tells
 * #SS from #GP.)
 */
export const segmentIndex = {
  es: 0,
  cs: 1,
  ss: 2,
  ds: 3,
  fs: 4,
  gs: 5,
  ldtr: 6,
  tr: 7,
  flat: 8,
  flatStack: 9,
} as const;

/** Bits of `state.shadow`: events held off for one instruction (SDM Vol. 3A 6.8.3), and NMIs until IRET (6.7.1). */
export const shadowBit = { sti: 1, movSs: 2, nmi: 4 } as const;

/** GDTR and IDTR: base i64, limit i32. */
export const tableField = { base: 0, limit: 8 } as const;

/** Addresses of one segment register's fields. */
export const segmentAt = (index: number): number => state.segments + index * segmentField.size;

/**
 * The software TLB: for each access context (`tlbContext`) a read and a write table of `entries` × 16 bytes:
 * i64 tag (linear page, compared with `(linear + size - 1) & ~0xfff`), i32 addend (RAM offset − linear, mod 2^32).
 */
export const tlb = {
  base: 0x700_0000,
  entries: 4096,
  entrySize: 16,
  writeOffset: 4096 * 16,
  contextSize: 2 * 4096 * 16,
  contexts: 3 + 8,
  tag: 0,
  addend: 8,
} as const;

/** The address of the TLB set of an access context, for `state.tlbBase`. */
export const tlbSet = (context: number): number => tlb.base + context * tlb.contextSize;

/**
 * `checked` never holds entries: alignment checks and data breakpoints send every access to the slow path. From `user` on one
 * for each address space that is remembered.
 */
export const tlbContext = { supervisor: 0, supervisorNoUser: 1, checked: 2, user: 3 } as const;

/**
 * Code TLB: linear page → page of RAM, for instruction fetch. 16 bytes an entry: i64 tag (linear page | code key), i32 RAM
 * offset of the page. Direct-mapped by page number, whose upper bits are mixed with the address space's number.
 */
export const codeTlb = { base: 0x18_0000, entries: 16384, entrySize: 16, tag: 0, page: 8 } as const;

/** What the code TLB's index takes from a code key: bits of the address space's number, moved to where they count most. */
export const codeTlbMix = { shift: 5, mask: 0x3800, step: 0x800 } as const;

/**
 * Jump cache: code in RAM → record and region, in `sets` of two. 16 bytes an entry: i64 tag (RAM offset | `state.jumpTag`),
 * i32 record, i32 region (see `regionReference`; 0: the interpreter). As it goes by place in RAM, it outlives every change
 * of mappings.
 */
export const jumpCache = {
  base: 0x20_0000,
  sets: 1 << 16,
  setBits: 16,
  setSize: 32,
  entrySize: 16,
  tag: 0,
  record: 8,
  region: 12,
} as const;

/**
 * Target cache: linear address → record and region, as the jump cache has them, for as long as mappings and code key (in
 * one word, `key`) are what they were. Where most jumps find their code; direct-mapped.
 */
export const targetCache = {
  base: 0xe_0000,
  entries: 1 << 11,
  entrySize: 32,
  linear: 0,
  key: 8,
  record: 12,
  region: 16,
} as const;

/**
 * Site cache: by the jump that leaves a region, a copy of the target cache's entry that it used last. The processor knows the
 * copy's address, and what of the next region hangs on it, long before it knows where the guest goes: 40 cycles.
 */
export const siteCache = { base: 0x10_0000, entryBits: 14 } as const;

/** What `engine.mapping` counts in: code keys fit below. */
export const mappingStep = 4096;

/**
 * By region: i32, `engine.mapping` and code key (in one word) under which it was last looked where its pages are; and u16, at
 * `placed`, which of them were where the region expects them: a bit each.
 */
export const regionPlaces = { base: 0xa_0000, placed: 0xf_0000, regions: 1 << 15 } as const;

/** By region: u8, set whenever the region is entered; whoever looks for unused ones clears it. */
export const regionUse = { base: 0xc_0000 } as const;

/** By region: u16, how often it was left for an access that the TLB did not have; see `RegionRequest.leavesOnMiss`. */
export const regionMisses = { base: 0x9_0000 } as const;

/** How often records' counters ran over: u8, by the lowest bits of a record's number. Some share one, and get hot early. */
export const heatOverflows = { base: 0xd_0000, entries: 1 << 16 } as const;

/** How a region is referred to: index in the table of regions, and number of the entry. */
export const regionReference = { entryBits: 6 } as const;

/** Decoded records; see `interpret/record.ts`. A Debian with systemd has run 1.3 million different instructions at its login. */
export const records = { base: 0x40_0000, end: tlb.base } as const;

/** Which record each place of code has; see `RecordIndex`. Seven bytes a record, if all are in use. */
export const recordIndex = { base: tlb.base + tlb.contexts * tlb.contextSize, bytes: 24 << 20 } as const;

const fillLogBase = recordIndex.base + recordIndex.bytes;
const fillLogWords = 16;
const mostOfSupervisor = 4096;
const fillLogSize = fillLogWords + mostOfSupervisor * 4;
const fillFlags = fillLogBase + tlb.contexts * fillLogSize;

/**
 * For each access context that is flushed by itself, supervisor's (0) and those of users: i32, how many entries were made since the
 * last flush, and from `words` on where they are (addresses / 4), as far as there is room. And i32 each, by context: whether it may
 * hold anything, and what can be written to.
 */
export const fillLog = {
  base: fillLogBase,
  size: fillLogSize,
  words: fillLogWords,
  mostOfSupervisor,
  mostOfUser: 1024,
  used: fillFlags,
  writable: fillFlags + tlb.contexts * 4,
} as const;

/** Large pages that are known to be such, of 2 MB each (of larger ones, pieces): i32, the linear address / 2 MB; by its lowest bits. */
export const largePages = { base: 0x4_0000, entries: 256, shift: 21, none: 0x7fff_ffff } as const;

/** Pages of memory 0. */
export const vcpuMemoryPages = (fillLog.writable + tlb.contexts * 4 + 0xffff) >> 16;
