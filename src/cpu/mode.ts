/** Everything that is derived from control registers, CS, SS, EFLAGS and CPL; recomputed whenever one of them changes. */
import { cr0, cr4, efer, eflags } from '../spec/x86/registers.ts';
import type { FetchMode } from './fetch.ts';
import type { PagingMode } from './mmu/walk.ts';
import type { Processor } from './processor.ts';
import { bitsOfBlockKey, blockKeyOf, blockKeys, modeBits } from './state/block-key.ts';
import { attribute } from './state/cpu-state.ts';
import { hasFlatSegments } from './state/flat-segments.ts';
import { engine, segmentAt, segmentField, segmentIndex, shadowBit, state } from './state/layout.ts';

const undefinedOpcodeFault = 6 + 1;
const deviceNotAvailableFault = 7 + 1;
const addressMask = 0x000f_ffff;

/** Rounds of a REP instruction between two looks for interrupts. */
const roundsPerEntry = 4096;

/** By `modeBits.size`. */
const codeSizes = [16, 32, 64, 32] as const;

/** All fetch modes, built once, by their `modeBits`. */
function fetchModes(): readonly FetchMode[] {
  return Array.from({ length: modeBits.all + 1 }, (_, bits) => ({
    decode: { codeSize: codeSizes[bits & modeBits.size] as 16 | 32 | 64, real: (bits & modeBits.real) !== 0 },
    index: bits & 7,
    translatable: (bits & modeBits.size) >= modeBits.size64,
    key: blockKeyOf(bits),
    user: (bits & modeBits.user) !== 0,
    step: (bits & modeBits.step) !== 0,
  }));
}

export class ModeTracker {
  readonly #cpu: Processor;
  readonly #modes = fetchModes();

  constructor(cpu: Processor) {
    this.#cpu = cpu;
  }

  /** By the block key, since emitted code changes privilege without telling. */
  get current(): FetchMode {
    return this.#modes[bitsOfBlockKey(this.#cpu.state.view.getInt32(state.blockKey, true))] as FetchMode;
  }

  update(): void {
    const view = this.#cpu.state.view;
    const control0 = view.getUint32(state.cr0, true);
    const control4 = view.getUint32(state.cr4, true);
    const extended = view.getUint32(state.efer, true);
    const flags = view.getUint32(state.eflags, true);
    const protectedMode = (control0 & cr0.pe) !== 0;
    const real = !protectedMode || (flags & eflags.vm) !== 0;
    const long = (extended & efer.lma) !== 0;
    const codeAttributes = view.getUint32(segmentAt(segmentIndex.cs) + segmentField.attributes, true);
    const code64 = long && (codeAttributes & attribute.long) !== 0;
    const wide = (codeAttributes & attribute.big) !== 0 && (flags & eflags.vm) === 0;
    const size = code64 ? modeBits.size64 : wide ? this.#size32(real) : 0;
    const user = view.getUint32(state.cpl, true) === 3;
    const held = view.getUint32(state.shadow, true) & (shadowBit.sti | shadowBit.movSs);
    const step = held !== 0 || (flags & eflags.tf) !== 0 || this.#cpu.debug.watches;
    const level = (real ? modeBits.real : 0) | (user ? modeBits.user : 0);
    const key = blockKeyOf(size | level | (step ? modeBits.step : 0));
    view.setInt32(state.blockKey, key, true);
    this.selectCode();
    this.tagJumps();
    view.setInt32(state.repeatLimit, step ? 1 : roundsPerEntry, true);
    this.#stack(code64);
    this.#fetchBase(code64);
    this.#units(control0, control4);
    this.#paging(control0, control4, extended);
    this.#cpu.mmu.selectContext();
  }

  /** What entries of the jump cache for code of the present mode have beside their place. */
  tagJumps(): void {
    this.#cpu.state.view.setInt32(state.jumpTag + 4, this.current.index + 1, true);
  }

  /** Derives the code key anew, which belongs to no saved state. */
  selectCode(): void {
    const { state: cpu, mmu } = this.#cpu;
    const key = mmu.codeTlb.codeKeyOf(cpu.view.getInt32(state.blockKey, true));
    cpu.view.setInt32(engine.codeKey, key, true);
  }

  #size32(real: boolean): number {
    return !real && hasFlatSegments(this.#cpu.state.view) ? modeBits.flat32 : modeBits.size32;
  }

  #stack(code64: boolean): void {
    const view = this.#cpu.state.view;
    const big = (view.getUint32(segmentAt(segmentIndex.ss) + segmentField.attributes, true) & attribute.big) !== 0;
    view.setUint32(state.stackMask, code64 || big ? 0xffff_ffff : 0xffff, true);
    view.setUint32(state.stackMask + 4, code64 ? 0xffff_ffff : 0, true);
  }

  #fetchBase(code64: boolean): void {
    const view = this.#cpu.state.view;
    const base = code64 ? 0 : view.getUint32(segmentAt(segmentIndex.cs) + segmentField.base, true);
    view.setUint32(state.codeSegmentBase, base, true);
    view.setUint32(state.codeSegmentBase + 4, 0, true);
    view.setUint32(state.linearMask, 0xffff_ffff, true);
    view.setUint32(state.linearMask + 4, code64 ? 0xffff_ffff : 0, true);
  }

  /** What x87, MMX and SSE instructions raise. SDM Vol. 3A table 2-2, 13.1. */
  #units(control0: number, control4: number): void {
    const view = this.#cpu.state.view;
    const emulate = (control0 & cr0.em) !== 0;
    const switched = (control0 & cr0.ts) !== 0;
    const notAvailable = switched ? deviceNotAvailableFault : 0;
    view.setInt32(state.x87Fault, emulate ? deviceNotAvailableFault : notAvailable, true);
    view.setInt32(state.mmxFault, emulate ? undefinedOpcodeFault : notAvailable, true);
    const noSse = emulate || (control4 & cr4.osfxsr) === 0;
    view.setInt32(state.sseFault, noSse ? undefinedOpcodeFault : notAvailable, true);
  }

  #paging(control0: number, control4: number, extended: number): void {
    const { state: cpu, mmu } = this.#cpu;
    const { paging } = mmu.walker;
    let mode: PagingMode = 'off';
    if ((control0 & cr0.pg) !== 0) {
      if ((control4 & cr4.pae) === 0) mode = '32-bit';
      else mode = (extended & efer.lma) !== 0 ? '4-level' : 'pae';
    }
    const low = cpu.view.getUint32(state.cr3, true);
    const high = cpu.view.getUint32(state.cr3 + 4, true);
    paging.mode = mode;
    paging.base = ((low & 0xffff_f000) >>> 0) + (mode === '4-level' ? (high & addressMask) * 0x1_0000_0000 : 0);
    paging.writeProtect = (control0 & cr0.wp) !== 0;
    paging.pageSizeExtensions = (control4 & cr4.pse) !== 0;
    paging.noExecute = (extended & efer.nxe) !== 0 && mode !== '32-bit';
    paging.smep = (control4 & cr4.smep) !== 0;
    paging.smap = (control4 & cr4.smap) !== 0;
    mmu.pagingChanged();
  }
}

/** After a segment register was loaded: 32-bit code may have become flat by it, or be flat no longer; see `engine.kindChanged`. */
export function segmentChanged(cpu: Processor, index: number): void {
  const { view } = cpu.state;
  const bits = bitsOfBlockKey(view.getInt32(state.blockKey, true));
  const size = bits & modeBits.size;
  const either = (size & modeBits.size32) !== 0 && (bits & modeBits.real) === 0;
  const changed = either && hasFlatSegments(view) !== (size === modeBits.flat32);
  if (changed) view.setInt32(engine.kindChanged, 1, true);
  if (changed || index === segmentIndex.ss) cpu.modeChanged();
}

/** After a change of privilege, SS or flags from 64-bit code to 64-bit code: all that can be derived anew from it. */
export function switchPrivilege64(cpu: Processor): void {
  switchKey(cpu, cpu.state.cpl === 3 ? blockKeys.user64 : blockKeys.kernel64);
}

/** The same from flat 32-bit code to 32-bit code with flat CS and SS. */
export function switchPrivilege32(cpu: Processor): void {
  if (!hasFlatSegments(cpu.state.view)) cpu.modeChanged();
  else switchKey(cpu, cpu.state.cpl === 3 ? blockKeys.user32 : blockKeys.kernel32);
}

function switchKey(cpu: Processor, key: number): void {
  const { view } = cpu.state;
  const traps = (view.getUint32(state.eflags, true) & eflags.tf) !== 0;
  if (traps || view.getInt32(state.blockKey, true) >= blockKeys.firstStep) {
    cpu.modeChanged();
    return;
  }
  view.setInt32(state.blockKey, key, true);
  view.setInt32(engine.codeKey, cpu.mmu.codeTlb.codeKeyOf(key), true);
  cpu.mmu.selectContext();
}
