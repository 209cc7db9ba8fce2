/**
 * Exceptions, interrupts and IRETD of 32-bit systems that use flat segments and two levels of privilege, in the
 * usual cases; as `flat-long.ts` for 64-bit ones. SDM Vol. 3A 6.12; Vol. 2A "IRET/IRETD/IRETQ".
 */
import { eflags } from '../../spec/x86/registers.ts';
import { switchPrivilege32 } from '../mode.ts';
import type { Processor } from '../processor.ts';
import { isFlatKey } from '../state/block-key.ts';
import { attribute } from '../state/cpu-state.ts';
import { segmentAt, segmentField, segmentIndex, shadowBit, state, tableField } from '../state/layout.ts';
import { dropInnerSegments } from './far-transfer.ts';
import type { Interruption } from './interrupt.ts';
import { attributesAt, descriptorAt, entryAt, loadFrom, plain } from './plain-ram.ts';
import { returnedFlags, savedFlags } from './returned-flags.ts';
import { clearFlagsFor, isUsualGate } from './usual-gates.ts';

const esp = state.gpr + 4 * 8;
const debugException = 1;
const slot = 4;
const gateBytes = 8;

/** What the halves of a descriptor with base 0 and limit 4 GiB have where base, limit and G are. SDM Vol. 3A figure 3-8. */
const flatLow = 0x0000_ffff;
const flatHigh = { mask: 0xff8f_00ff | 0, value: 0x008f_0000 } as const;

const kinds = attribute.present | attribute.s | attribute.code | attribute.accessed | attribute.big | attribute.dpl;
const codeMask = kinds | attribute.conforming | attribute.long;
const codeValue = attribute.present | attribute.s | attribute.code | attribute.accessed | attribute.big;
const stackMask = kinds | attribute.expandDown | attribute.writable;
const stackValue = attribute.present | attribute.s | attribute.accessed | attribute.big | attribute.writable;
/** Type and presence of the TSS that a 32-bit system runs on: 32-bit, busy. */
const tssMask = attribute.present | attribute.s | 15;
const tssValue = attribute.present | 11;

/** ESP0 and SS0 in a 32-bit TSS. SDM Vol. 3A figure 8-2. */
const innerStack = { offset: 4, bytes: 6, ss: 4 } as const;

const dplBits = (level: number): number => level << 5;

/** Whether the descriptor at a RAM offset is flat, and what `mask` of its attributes must be. */
function isFlat(cpu: Processor, descriptor: number, mask: number, value: number): boolean {
  const { ram } = cpu.mmu;
  if (ram.getInt32(descriptor, true) !== flatLow) return false;
  if ((ram.getInt32(descriptor + 4, true) & flatHigh.mask) !== flatHigh.value) return false;
  return (attributesAt(cpu, descriptor) & mask) === value;
}

/** RAM offset of the descriptor of flat code for `level`, which the selector's RPL does not matter for; -1: not this way. */
function codeDescriptor(cpu: Processor, selector: number, level: number): number {
  const descriptor = descriptorAt(cpu, selector);
  return descriptor >= 0 && isFlat(cpu, descriptor, codeMask, codeValue | dplBits(level)) ? descriptor : -1;
}

/** RAM offset of the descriptor of a flat stack for `level`; -1: not this way. */
function stackDescriptor(cpu: Processor, selector: number, level: number): number {
  const descriptor = (selector & 3) === level ? descriptorAt(cpu, selector) : -1;
  return descriptor >= 0 && isFlat(cpu, descriptor, stackMask, stackValue | dplBits(level)) ? descriptor : -1;
}

/** Whether flat 32-bit code of a system without long mode runs, at level 0 or 3. */
function runsFlat32(cpu: Processor): boolean {
  const level = cpu.state.view.getUint32(state.cpl, true);
  const flat = isFlatKey(cpu.state.view.getInt32(state.blockKey, true));
  return flat && (level === 0 || level === 3) && !cpu.state.longMode;
}

/** RAM offset of the stack pointer for level 0 in the TSS; -1: not this way. */
function newStack(cpu: Processor): number {
  const tr = segmentAt(segmentIndex.tr);
  if ((cpu.state.segmentAttributes(segmentIndex.tr) & tssMask) !== tssValue) return -1;
  const { offset, bytes } = innerStack;
  return entryAt(cpu, tr + segmentField.base, tr + segmentField.limit, offset, bytes);
}

/** Delivers `event`, if it is a usual one. @returns whether it did. */
export function deliverFlat32(cpu: Processor, event: Interruption): boolean {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  if (event.source === 'software' || event.vector === debugException || !runsFlat32(cpu)) return false;
  const gate = entryAt(cpu, state.idtr, state.idtr + tableField.limit, event.vector * gateBytes, gateBytes);
  if (gate < 0) return false;
  const gateLow = ram.getUint32(gate, true);
  const gateHigh = ram.getUint32(gate + 4, true);
  if (!isUsualGate(gateHigh)) return false;
  const selector = gateLow >>> 16;
  const code = codeDescriptor(cpu, selector, 0);
  if (code < 0) return false;
  const inner = view.getUint32(state.cpl, true) !== 0;
  let top = view.getUint32(esp, true);
  let stack = -1;
  let stackSelector = 0;
  if (inner) {
    const pointer = newStack(cpu);
    if (pointer < 0) return false;
    top = ram.getUint32(pointer, true);
    stackSelector = ram.getUint16(pointer + innerStack.ss, true);
    stack = stackDescriptor(cpu, stackSelector, 0);
    if (stack < 0) return false;
  }
  const slots = (inner ? 5 : 3) + (event.errorCode === undefined ? 0 : 1);
  const bottom = top - slots * slot;
  const frame = bottom < 0 ? -1 : plain(cpu, bottom, 0, slots * slot, true, true);
  if (frame < 0) return false;
  writeFrame(cpu, event, frame, inner);

  clearFlagsFor(cpu, gateHigh);
  setPlace(cpu, ((gateLow & 0xffff) | (gateHigh & 0xffff_0000)) >>> 0, bottom);
  view.setUint32(state.cpl, 0, true);
  loadFrom(cpu, segmentIndex.cs, selector & 0xfffc, code);
  if (inner) loadFrom(cpu, segmentIndex.ss, stackSelector, stack);
  cpu.state.midRepeat = false;
  switchPrivilege32(cpu);
  return true;
}

/** Error code, EIP, CS, EFLAGS and, from an outer level, ESP and SS, from the bottom up. */
function writeFrame(cpu: Processor, event: Interruption, frame: number, inner: boolean): void {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  const { errorCode } = event;
  const at = errorCode === undefined ? frame : frame + slot;
  if (errorCode !== undefined) ram.setUint32(frame, errorCode, true);
  ram.setUint32(at, Number(event.returnRip & 0xffff_ffffn), true);
  ram.setUint32(at + slot, cpu.state.selector(segmentIndex.cs), true);
  ram.setUint32(at + 2 * slot, savedFlags(cpu, event), true);
  if (!inner) return;
  ram.setUint32(at + 3 * slot, view.getUint32(esp, true), true);
  ram.setUint32(at + 4 * slot, cpu.state.selector(segmentIndex.ss), true);
}

function setPlace(cpu: Processor, eip: number, stackPointer: number): void {
  const { view } = cpu.state;
  view.setUint32(state.rip, eip, true);
  view.setUint32(state.rip + 4, 0, true);
  view.setUint32(esp, stackPointer, true);
  view.setUint32(esp + 4, 0, true);
}

/** IRETD from level 0 to levels 0 and 3, if it is a usual one. @returns whether it was done. */
export function iretFlat32(cpu: Processor): boolean {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  const old = view.getUint32(state.eflags, true);
  if (view.getUint32(state.cpl, true) !== 0 || (old & eflags.nt) !== 0 || !runsFlat32(cpu)) return false;
  const pointer = view.getUint32(esp, true);
  const frame = plain(cpu, pointer, 0, 3 * slot, false, false);
  if (frame < 0) return false;
  const selector = ram.getUint16(frame + slot, true);
  const image = ram.getUint32(frame + 2 * slot, true);
  const level = selector & 3;
  if ((image & eflags.vm) !== 0 || level === 1 || level === 2) return false;
  const code = codeDescriptor(cpu, selector, level);
  if (code < 0) return false;
  let next = pointer + 3 * slot;
  let stackSelector = 0;
  let stack = -1;
  if (level !== 0) {
    const outer = plain(cpu, pointer, 0, 5 * slot, false, false);
    if (outer < 0) return false;
    next = ram.getUint32(outer + 3 * slot, true);
    stackSelector = ram.getUint16(outer + 4 * slot, true);
    stack = stackDescriptor(cpu, stackSelector, level);
    if (stack < 0) return false;
  }

  cpu.state.eflags = returnedFlags(cpu, image, 32, 0);
  loadFrom(cpu, segmentIndex.cs, selector, code);
  if (stack >= 0) loadFrom(cpu, segmentIndex.ss, stackSelector, stack);
  setPlace(cpu, ram.getUint32(frame, true), next);
  view.setUint32(state.cpl, level, true);
  if (level !== 0) dropInnerSegments(cpu);
  cpu.state.shadow &= ~shadowBit.nmi;
  if (!cpu.debug.watchesInstructions) cpu.state.setFlag(eflags.rf, false);
  switchPrivilege32(cpu);
  return true;
}
