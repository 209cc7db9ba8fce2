/**
 * Exceptions, interrupts and IRETQ between 64-bit code and 64-bit code, in the cases that make up nearly all of a running
 * guest's: everything in plain RAM, descriptors present and accessed, nothing watched. Whatever is unusual is refused
 * with nothing changed (but accessed and dirty bits, which the general way would set as well) and goes that way. SDM
 * Vol. 3A 6.14; Vol. 2A "IRET/IRETD/IRETQ".
 */
import { eflags } from '../../spec/x86/registers.ts';
import { switchPrivilege64 } from '../mode.ts';
import type { Processor } from '../processor.ts';
import { attribute } from '../state/cpu-state.ts';
import { segmentAt, segmentField, segmentIndex, shadowBit, state, tableField } from '../state/layout.ts';
import { dropInnerSegments } from './far-transfer.ts';
import type { Interruption } from './interrupt.ts';
import { attributesAt, descriptorAt, entryAt, isCanonicalHigh, loadFrom, plain } from './plain-ram.ts';
import { returnedFlags, savedFlags } from './returned-flags.ts';
import { clearFlagsFor, isUsualGate } from './usual-gates.ts';

const rsp = state.gpr + 4 * 8;
const debugException = 1;
const slot = 8;
const gateBytes = 16;

const offsetIst = 7;

const codeMask =
  attribute.present |
  attribute.s |
  attribute.code |
  attribute.conforming |
  attribute.long |
  attribute.big |
  attribute.accessed;
const codeValue = attribute.present | attribute.s | attribute.code | attribute.long | attribute.accessed;
const dataMask = attribute.present | attribute.s | attribute.code | attribute.writable | attribute.accessed;
const dataValue = attribute.present | attribute.s | attribute.writable | attribute.accessed;
const stackOfLevel0 = attribute.present | attribute.s | attribute.writable | attribute.accessed;

/** RAM offset of the pointer that a 64-bit TSS holds for this interruption. */
function newStack(cpu: Processor, ist: number): number {
  const tr = segmentAt(segmentIndex.tr);
  return entryAt(cpu, tr + segmentField.base, tr + segmentField.limit, ist === 0 ? 4 : 0x1c + ist * 8, slot);
}

/** Delivers `event`, if it is a usual one. @returns whether it did. */
export function deliverFlat(cpu: Processor, event: Interruption): boolean {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  if (!cpu.state.code64 || event.source === 'software' || event.vector === debugException) return false;
  const gate = entryAt(cpu, state.idtr, state.idtr + tableField.limit, event.vector * gateBytes, gateBytes);
  if (gate < 0) return false;
  const gateLow = ram.getUint32(gate, true);
  const gateHigh = ram.getUint32(gate + 4, true);
  const targetHigh = ram.getInt32(gate + 8, true);
  if (!isUsualGate(gateHigh) || !isCanonicalHigh(targetHigh)) return false;
  const selector = gateLow >>> 16;
  const descriptor = descriptorAt(cpu, selector);
  if (descriptor < 0 || (attributesAt(cpu, descriptor) & (codeMask | attribute.dpl)) !== codeValue) return false;
  const inner = view.getUint32(state.cpl, true) !== 0;
  let topLow = view.getUint32(rsp, true);
  let topHigh = view.getInt32(rsp + 4, true);
  const ist = gateHigh & offsetIst;
  if (inner || ist !== 0) {
    const pointer = newStack(cpu, ist);
    if (pointer < 0) return false;
    topLow = ram.getUint32(pointer, true);
    topHigh = ram.getInt32(pointer + 4, true);
  }
  const hasError = event.errorCode !== undefined;
  const bytes = hasError ? 6 * slot : 5 * slot;
  const bottomLow = ((topLow & ~15) >>> 0) - bytes;
  const frame = bottomLow < 0 ? -1 : plain(cpu, bottomLow, topHigh, bytes, true, true);
  if (frame < 0) return false;
  writeFrame(cpu, event, frame);

  clearFlagsFor(cpu, gateHigh);
  view.setUint32(rsp, bottomLow, true);
  view.setInt32(rsp + 4, topHigh, true);
  view.setUint32(state.rip, ((gateLow & 0xffff) | (gateHigh & 0xffff_0000)) >>> 0, true);
  view.setInt32(state.rip + 4, targetHigh, true);
  view.setUint32(state.cpl, 0, true);
  loadFrom(cpu, segmentIndex.cs, selector & 0xfffc, descriptor);
  if (inner) cpu.state.setSegment32(segmentIndex.ss, 0, { base: 0, limit: 0xffff_ffff, attributes: stackOfLevel0 });
  cpu.state.midRepeat = false;
  switchPrivilege64(cpu);
  return true;
}

/** SS, RSP, RFLAGS, CS, RIP and the error code, from the top down. */
function writeFrame(cpu: Processor, event: Interruption, frame: number): void {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  const { errorCode } = event;
  const at = errorCode === undefined ? frame : frame + slot;
  const put = (position: number, low: number, high: number): void => {
    ram.setUint32(at + position * slot, low, true);
    ram.setUint32(at + position * slot + 4, high, true);
  };
  put(4, cpu.state.selector(segmentIndex.ss), 0);
  put(3, view.getUint32(rsp, true), view.getUint32(rsp + 4, true));
  put(2, savedFlags(cpu, event), 0);
  put(1, cpu.state.selector(segmentIndex.cs), 0);
  ram.setBigUint64(at, event.returnRip, true);
  if (errorCode !== undefined) put(-1, errorCode, 0);
}

/** RAM offset of the descriptor of a stack segment for `level`; 0 for the null selector of level 0; -1: not this way. */
function stackDescriptor(cpu: Processor, selector: number, level: number): number {
  if (selector === 0 && level === 0) return 0;
  const descriptor = descriptorAt(cpu, selector);
  if (descriptor < 0 || (selector & 3) !== level) return -1;
  const wanted = dataValue | (level << 5);
  return (attributesAt(cpu, descriptor) & (dataMask | attribute.dpl)) === wanted ? descriptor : -1;
}

/** IRETQ from level 0 of 64-bit code to levels 0 and 3, if it is a usual one. @returns whether it was done. */
export function iretFlat(cpu: Processor): boolean {
  const { view } = cpu.state;
  const { ram } = cpu.mmu;
  const old = view.getUint32(state.eflags, true);
  if (view.getUint32(state.cpl, true) !== 0 || (old & eflags.nt) !== 0 || !cpu.state.code64) return false;
  const frame = plain(cpu, view.getUint32(rsp, true), view.getInt32(rsp + 4, true), 5 * slot, false, false);
  if (frame < 0) return false;
  const targetHigh = ram.getInt32(frame + 4, true);
  const selector = ram.getUint16(frame + slot, true);
  const level = selector & 3;
  if (!isCanonicalHigh(targetHigh) || level === 1 || level === 2) return false;
  const code = descriptorAt(cpu, selector);
  if (code < 0 || (attributesAt(cpu, code) & (codeMask | attribute.dpl)) !== (codeValue | (level << 5))) return false;
  const ssSelector = ram.getUint16(frame + 4 * slot, true);
  const stack = stackDescriptor(cpu, ssSelector, level);
  if (stack < 0) return false;

  cpu.state.eflags = returnedFlags(cpu, ram.getUint32(frame + 2 * slot, true), 64, 0);
  loadFrom(cpu, segmentIndex.cs, selector, code);
  if (ssSelector === 0) cpu.state.setSegment32(segmentIndex.ss, 0, { base: 0, limit: 0, attributes: stackOfLevel0 });
  else loadFrom(cpu, segmentIndex.ss, ssSelector, stack);
  view.setUint32(state.rip, ram.getUint32(frame, true), true);
  view.setInt32(state.rip + 4, targetHigh, true);
  view.setUint32(rsp, ram.getUint32(frame + 3 * slot, true), true);
  view.setUint32(rsp + 4, ram.getUint32(frame + 3 * slot + 4, true), true);
  view.setUint32(state.cpl, level, true);
  if (level !== 0) dropInnerSegments(cpu);
  cpu.state.shadow &= ~shadowBit.nmi;
  if (!cpu.debug.watchesInstructions) cpu.state.setFlag(eflags.rf, false);
  switchPrivilege64(cpu);
  return true;
}
