/** Segment descriptors: reading, checking and loading. SDM Vol. 3A 3.4, 3.5, 5.6. */
import { generalProtection, notPresent, stackFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, canonical, dplOf, type SegmentValue } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';
import { loadUsualSegment } from './plain-ram.ts';

/** An 8-byte descriptor, raw. */
export interface Descriptor {
  readonly low: number;
  readonly high: number;
  /** Linear address, to set the accessed or busy bit. */
  readonly address: number;
}

/** Bits 40–55, where `attributes` has them. */
export const attributesOf = (descriptor: Descriptor): number => (descriptor.high >> 8) & 0xf0ff;

export const baseOf = (descriptor: Descriptor): number =>
  ((descriptor.low >>> 16) | ((descriptor.high & 0xff) << 16) | (descriptor.high & 0xff00_0000)) >>> 0;

export function limitOf(descriptor: Descriptor): number {
  const raw = (descriptor.low & 0xffff) | (descriptor.high & 0xf_0000);
  return ((descriptor.high & 0x80_0000) !== 0 ? (raw << 12) | 0xfff : raw) >>> 0;
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** The linear address of a selector's descriptor, or undefined when it lies beyond its table's limit. */
export function descriptorAddress(cpu: Processor, selector: number, bytes = 8): number | undefined {
  const local = (selector & 4) !== 0;
  const { state } = cpu;
  const offset = selector & 0xfff8;
  if (
    local &&
    (isNull(state.selector(segmentIndex.ldtr)) ||
      (state.segmentAttributes(segmentIndex.ldtr) & attribute.present) === 0)
  ) {
    return undefined;
  }
  const limit = local ? state.segmentLimit(segmentIndex.ldtr) : state.table('gdtr').limit;
  if (offset + bytes - 1 > limit) return undefined;
  const base = local ? state.segmentBase(segmentIndex.ldtr) : state.table('gdtr').base;
  return canonical(BigInt.asUintN(64, base + BigInt(offset)));
}

/** Reads the descriptor that `selector` names. @throws #GP(selector) (or `fault`) beyond the table's limit. */
export function readDescriptor(cpu: Processor, selector: number, fault = generalProtection): Descriptor {
  const address = descriptorAddress(cpu, selector);
  if (address === undefined) throw fault(selector & 0xfffc);
  return { low: cpu.mmu.read(address, 4, true), high: cpu.mmu.read(address + 4, 4, true), address };
}

/** Sets the accessed bit of a code or data descriptor, if it is clear. */
export function markAccessed(cpu: Processor, descriptor: Descriptor): void {
  if ((descriptor.high & 0x100) === 0) cpu.mmu.write(descriptor.address + 4, 4, descriptor.high | 0x100, true);
}

export const segmentValue = (selector: number, descriptor: Descriptor): SegmentValue => ({
  selector,
  base: BigInt(baseOf(descriptor)),
  limit: limitOf(descriptor),
  attributes: attributesOf(descriptor) | attribute.accessed,
});

/** Real and virtual-8086 mode: base = selector × 16. Real mode keeps limit and rights (unreal mode). SDM Vol. 3B 21.1. */
export function loadRealSegment(cpu: Processor, index: number, selector: number): void {
  const base = BigInt(selector & 0xffff) << 4n;
  if (cpu.state.virtual8086) {
    cpu.state.setSegment(index, { selector, base, limit: 0xffff, attributes: 0xf3 });
    return;
  }
  const old = cpu.state.segment(index);
  const attributes = index === segmentIndex.cs ? 0x9b | (old.attributes & attribute.big) : old.attributes | 0x93;
  cpu.state.setSegment(index, { ...old, selector, base, attributes });
}

/** A null selector in a data segment register: unusable in protected mode; in 64-bit mode bases of FS and GS clear too. */
function loadNull(cpu: Processor, index: number, selector: number): void {
  cpu.state.setSegment(index, { selector, base: 0n, limit: 0, attributes: 0 });
}

function loadStackSegment(cpu: Processor, selector: number): void {
  const { state } = cpu;
  const { cpl } = state;
  if (isNull(selector)) {
    if (!state.code64 || cpl === 3 || (selector & 3) !== cpl) throw generalProtection();
    state.setSegment(segmentIndex.ss, { selector, base: 0n, limit: 0, attributes: 0x80 | (cpl << 5) | 0x10 | 3 });
    return;
  }
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const writableData =
    (attributes & (attribute.s | attribute.code | attribute.writable)) === (attribute.s | attribute.writable);
  if ((selector & 3) !== cpl || !writableData || dplOf(attributes) !== cpl) throw generalProtection(selector & 0xfffc);
  if ((attributes & attribute.present) === 0) throw stackFault(selector & 0xfffc);
  markAccessed(cpu, descriptor);
  state.setSegment(segmentIndex.ss, segmentValue(selector, descriptor));
}

function loadDataSegment(cpu: Processor, index: number, selector: number): void {
  const { state } = cpu;
  if (isNull(selector)) {
    loadNull(cpu, index, selector);
    return;
  }
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const isCode = (attributes & attribute.code) !== 0;
  const usable = (attributes & attribute.s) !== 0 && (!isCode || (attributes & attribute.readable) !== 0);
  const conforming = isCode && (attributes & attribute.conforming) !== 0;
  const dpl = dplOf(attributes);
  if (!usable || (!conforming && ((selector & 3) > dpl || state.cpl > dpl))) throw generalProtection(selector & 0xfffc);
  if ((attributes & attribute.present) === 0) throw notPresent(selector & 0xfffc);
  markAccessed(cpu, descriptor);
  state.setSegment(index, segmentValue(selector, descriptor));
}

/** MOV Sreg, POP Sreg, LDS … in the current mode (not CS). @throws the faults of SDM Vol. 2B "MOV". */
export function loadSegment(cpu: Processor, index: number, selector: number): void {
  const value = selector & 0xffff;
  if (cpu.state.realSegments) loadRealSegment(cpu, index, value);
  else if (index === segmentIndex.ss || !loadUsualSegment(cpu, index, value)) loadAnySegment(cpu, index, value);
}

/** The same in protected mode, without the short way for what is usual. */
export function loadAnySegment(cpu: Processor, index: number, selector: number): void {
  if (index === segmentIndex.ss) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, index, selector);
}
