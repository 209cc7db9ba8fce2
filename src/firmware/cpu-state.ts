/** What the boot processor's registers hold when a guest starts: a value that the machine applies to its CPU. */
import { flatAttributes, rflagsFixed } from '../spec/x86/flat-segments.ts';
import { cr0, cr4, efer } from '../spec/x86/registers.ts';
import { bootSelector } from './boot-gdt.ts';

export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  /** In bytes, the granularity bit already applied. */
  readonly limit: number;
  /** Access byte in bits 7:0, AVL, L, D/B, G in bits 15:12 (the layout of VMX access rights, SDM Vol. 3C 25.4.1). */
  readonly attributes: number;
}

export interface TableState {
  readonly base: number;
  readonly limit: number;
}

export interface InitialCpuState {
  readonly mode: 'real' | 'protected' | 'long';
  readonly rip: number;
  readonly rflags: number;
  readonly rax: number;
  readonly rbx: number;
  readonly rcx: number;
  readonly rdx: number;
  readonly rsi: number;
  readonly rdi: number;
  readonly rbp: number;
  readonly rsp: number;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly gdtr: TableState;
  readonly idtr: TableState;
  readonly cs: SegmentState;
  readonly ds: SegmentState;
  readonly es: SegmentState;
  readonly fs: SegmentState;
  readonly gs: SegmentState;
  readonly ss: SegmentState;
  readonly tr: SegmentState;
  readonly ldtr: SegmentState;
}

/** The registers that the boot protocols give a meaning. */
export interface EntryRegisters {
  readonly rip: number;
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsi?: number;
  readonly rsp?: number;
}

/** 32-bit protected mode, flat segments, no paging, interrupts off. */
export function protectedModeState(entry: EntryRegisters, gdtr: TableState): InitialCpuState {
  return { ...flatState(entry, gdtr, flatAttributes.code32), mode: 'protected', cr0: cr0.pe | cr0.et };
}

/** 64-bit mode with paging by the tables at `cr3`, flat segments, interrupts off. */
export function longModeState(entry: EntryRegisters, gdtr: TableState, cr3: number): InitialCpuState {
  return {
    ...flatState(entry, gdtr, flatAttributes.code64),
    mode: 'long',
    cr0: (cr0.pe | cr0.et | cr0.pg) >>> 0,
    cr3,
    cr4: cr4.pae,
    efer: efer.lme | efer.lma,
  };
}

function flatState(entry: EntryRegisters, gdtr: TableState, codeAttributes: number): InitialCpuState {
  const flat = { base: 0, limit: 0xffff_ffff };
  const data = { ...flat, selector: bootSelector.data, attributes: flatAttributes.data };
  return {
    mode: 'protected',
    rip: entry.rip,
    rflags: rflagsFixed,
    rax: entry.rax ?? 0,
    rbx: entry.rbx ?? 0,
    rcx: 0,
    rdx: 0,
    rsi: entry.rsi ?? 0,
    rdi: 0,
    rbp: 0,
    rsp: entry.rsp ?? 0,
    cr0: 0,
    cr3: 0,
    cr4: 0,
    efer: 0,
    gdtr,
    idtr: { base: 0, limit: 0 },
    cs: { ...flat, selector: bootSelector.code, attributes: codeAttributes },
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr: { selector: 0, base: 0, limit: 0x67, attributes: flatAttributes.busyTss },
    ldtr: { selector: 0, base: 0, limit: 0xffff, attributes: flatAttributes.ldt },
  };
}
