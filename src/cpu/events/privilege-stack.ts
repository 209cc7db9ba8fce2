/** The stack of an inner privilege level, from the TSS. SDM Vol. 3A 5.8.5, 6.14.2, 8.2. */
import { GuestFault, generalProtection, invalidTss, stackFault } from '../guest-fault.ts';
import type { Processor } from '../processor.ts';
import { attribute, canonical, dplOf, type SegmentValue } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';
import { attributesOf, isNull, markAccessed, readDescriptor, segmentValue } from './descriptors.ts';

const tssBusy = 2;

/** Type 1 and 3 are 16-bit TSSs, 9 and 11 those of 32 bits (64 in long mode). */
const is16BitTss = (attributes: number): boolean => (attributes & 0xf & ~tssBusy) === 1;

function tssLinear(cpu: Processor, offset: number, bytes: number): number {
  const { state } = cpu;
  if (offset + bytes - 1 > state.segmentLimit(segmentIndex.tr))
    throw invalidTss(state.selector(segmentIndex.tr) & 0xfffc);
  const linear = canonical(BigInt.asUintN(64, state.segmentBase(segmentIndex.tr) + BigInt(offset)));
  if (linear === undefined) throw generalProtection();
  return linear;
}

/** SS and (E)SP of privilege `level` in a 16- or 32-bit TSS. */
export function stackFromTss(cpu: Processor, level: number): { selector: number; pointer: number } {
  const small = is16BitTss(cpu.state.segmentAttributes(segmentIndex.tr));
  const at = tssLinear(cpu, small ? 2 + level * 4 : 4 + level * 8, small ? 4 : 6);
  const pointer = cpu.mmu.read(at, small ? 2 : 4, true);
  return { pointer, selector: cpu.mmu.read(at + (small ? 2 : 4), 2, true) };
}

/** RSPn (`level`) or ISTn (`ist` 1–7) of a 64-bit TSS. */
export function stackFromTss64(cpu: Processor, level: number, ist: number): bigint {
  const pointer = cpu.mmu.read64(tssLinear(cpu, ist === 0 ? 4 + level * 8 : 0x1c + ist * 8, 8), true);
  if (canonical(pointer) === undefined) throw stackFault();
  return pointer;
}

/** The stack segment for privilege `level`; everything wrong with it is #TS(selector), absence #SS(selector). */
export function checkedStackSegment(cpu: Processor, selector: number, level: number, external: number): SegmentValue {
  if (isNull(selector)) throw invalidTss(external);
  const code = (selector & 0xfffc) | external;
  const descriptor = readDescriptor(cpu, selector, () => invalidTss(code));
  const attributes = attributesOf(descriptor);
  const writable =
    (attributes & (attribute.s | attribute.code | attribute.writable)) === (attribute.s | attribute.writable);
  if ((selector & 3) !== level || dplOf(attributes) !== level || !writable) throw invalidTss(code);
  if ((attributes & attribute.present) === 0) throw new GuestFault(12, code);
  markAccessed(cpu, descriptor);
  return segmentValue(selector, descriptor);
}
