/**
 * Frames, gates and descriptors where they nearly always are: in plain RAM, within a page. What is elsewhere is refused with
 * nothing changed but accessed and dirty bits, and left to the general way.
 */
import type { Processor } from '../processor.ts';
import { attribute, dplOf } from '../state/cpu-state.ts';
import { state, tableField } from '../state/layout.ts';

const two32 = 0x1_0000_0000;
const descriptorBytes = 8;

export const isCanonicalHigh = (high: number): boolean => (high << 16) >> 16 === high;

/** RAM offset of `bytes` at `low`, `high` (an address in two halves), all in one page; -1: not this way. */
export function plain(
  cpu: Processor,
  low: number,
  high: number,
  bytes: number,
  write: boolean,
  implicit: boolean,
): number {
  if (!isCanonicalHigh(high) || (low & 0xfff) + bytes > 4096) return -1;
  return cpu.mmu.ramAt(high * two32 + (low >>> 0), write, implicit);
}

/** RAM offset of `bytes` at `offset` into a table or segment of which `base` and `limit` are state addresses. */
export function entryAt(cpu: Processor, base: number, limit: number, offset: number, bytes: number): number {
  const { view } = cpu.state;
  if (offset + bytes - 1 > view.getUint32(limit, true)) return -1;
  const low = view.getUint32(base, true) + offset;
  if (low >= two32) return -1;
  return plain(cpu, low, view.getInt32(base + 4, true), bytes, false, true);
}

/** RAM offset of a descriptor in the GDT. */
export function descriptorAt(cpu: Processor, selector: number): number {
  if ((selector & 4) !== 0 || selector < 4) return -1;
  return entryAt(cpu, state.gdtr, state.gdtr + tableField.limit, selector & 0xfff8, descriptorBytes);
}

/** Bits 40–55 of the descriptor at a RAM offset, as `attribute` has them. */
export const attributesAt = (cpu: Processor, descriptor: number): number =>
  (cpu.mmu.ram.getUint32(descriptor + 4, true) >>> 8) & 0xf0ff;

/** Loads a segment register from the descriptor at a RAM offset. */
export function loadFrom(cpu: Processor, index: number, selector: number, descriptor: number): void {
  const low = cpu.mmu.ram.getUint32(descriptor, true);
  const high = cpu.mmu.ram.getUint32(descriptor + 4, true);
  const attributes = (high >>> 8) & 0xf0ff;
  const raw = (low & 0xffff) | (high & 0xf_0000);
  const limit = (attributes & attribute.granularity) !== 0 ? (raw << 12) | 0xfff : raw;
  const base = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
  cpu.state.setSegment32(index, selector, { base, limit, attributes });
}

/** Loads DS, ES, FS or GS in protected mode, if that is a usual case: a null selector, or data. SDM Vol. 2B "MOV". @returns whether it did. */
export function loadUsualSegment(cpu: Processor, index: number, selector: number): boolean {
  if ((selector & 0xfffc) === 0) {
    cpu.state.setSegment32(index, selector, { base: 0, limit: 0, attributes: 0 });
    return true;
  }
  const descriptor = descriptorAt(cpu, selector);
  if (descriptor < 0) return false;
  const attributes = attributesAt(cpu, descriptor);
  const data = attribute.present | attribute.s | attribute.accessed;
  if ((attributes & (data | attribute.code)) !== data) return false;
  const dpl = dplOf(attributes);
  if ((selector & 3) > dpl || cpu.state.view.getUint32(state.cpl, true) > dpl) return false;
  loadFrom(cpu, index, selector, descriptor);
  return true;
}
