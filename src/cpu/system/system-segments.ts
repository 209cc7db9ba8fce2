/** Descriptor tables and what looks into them: LGDT … LTR, LAR, LSL, VERR, VERW. SDM Vol. 2A/2B, Vol. 3A 5.10. */
import {
  attributesOf,
  baseOf,
  type Descriptor,
  descriptorAddress,
  isNull,
  limitOf,
  readDescriptor,
} from '../events/descriptors.ts';
import { generalProtection, notPresent } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { attribute, canonical, dplOf } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';

export function loadTable(cpu: Processor, name: 'gdtr' | 'idtr'): number {
  const base = cpu.state.scratch(0);
  if (canonical(base) === undefined) throw generalProtection();
  cpu.state.setTable(name, base, cpu.state.scratch32(1) & 0xffff);
  return status.next;
}

/** The upper half of a system descriptor's base, which long mode adds. */
function longBase(cpu: Processor, descriptor: Descriptor, code: number): bigint {
  const low = BigInt(baseOf(descriptor));
  if (!cpu.state.longMode) return low;
  const base = (BigInt(cpu.mmu.read(descriptor.address + 8, 4, true)) << 32n) | low;
  if ((cpu.mmu.read(descriptor.address + 12, 4, true) & 0x1f00) !== 0 || canonical(base) === undefined) {
    throw generalProtection(code);
  }
  return base;
}

function systemDescriptor(cpu: Processor, selector: number): Descriptor {
  const code = selector & 0xfffc;
  if ((selector & 4) !== 0) throw generalProtection(code);
  if (cpu.state.longMode && descriptorAddress(cpu, selector, 16) === undefined) throw generalProtection(code);
  return readDescriptor(cpu, selector);
}

export function lldt(cpu: Processor): number {
  const { state } = cpu;
  const selector = state.scratch32(0) & 0xffff;
  if (isNull(selector)) {
    state.setSegment(segmentIndex.ldtr, { selector, base: 0n, limit: 0, attributes: 0 });
    return status.next;
  }
  const code = selector & 0xfffc;
  const descriptor = systemDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  if ((attributes & 0x1f) !== 2) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  const base = longBase(cpu, descriptor, code);
  state.setSegment(segmentIndex.ldtr, { selector, base, limit: limitOf(descriptor), attributes });
  return status.next;
}

export function ltr(cpu: Processor): number {
  const { state } = cpu;
  const selector = state.scratch32(0) & 0xffff;
  if (isNull(selector)) throw generalProtection();
  const code = selector & 0xfffc;
  const descriptor = systemDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const type = attributes & 0x1f;
  if (state.longMode ? type !== 9 : type !== 1 && type !== 9) throw generalProtection(code);
  if ((attributes & attribute.present) === 0) throw notPresent(code);
  const base = longBase(cpu, descriptor, code);
  cpu.mmu.write(descriptor.address + 4, 4, descriptor.high | 0x200, true);
  state.setSegment(segmentIndex.tr, { selector, base, limit: limitOf(descriptor), attributes: attributes | 2 });
  return status.next;
}

/** Reads a descriptor without faulting on its selector. */
function visible(cpu: Processor, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const address = descriptorAddress(cpu, selector);
  if (address === undefined) return undefined;
  return { low: cpu.mmu.read(address, 4, true), high: cpu.mmu.read(address + 4, 4, true), address };
}

/** System types that LAR and LSL accept, by mode. SDM Vol. 2A tables 3-53 and 3-58. */
const larTypes = { legacy: 0x1a3e, long: 0x1a04 } as const;
const lslTypes = { legacy: 0x0a0e, long: 0x0a04 } as const;

function privileged(cpu: Processor, selector: number, attributes: number): boolean {
  const dpl = dplOf(attributes);
  return cpu.state.cpl > dpl || (selector & 3) > dpl;
}

/** LAR and LSL: scratch 0 = seen, scratch 1 = rights or limit. */
export function inspect(cpu: Processor, what: 'rights' | 'limit'): number {
  const { state } = cpu;
  const selector = state.scratch32(0) & 0xffff;
  const descriptor = visible(cpu, selector);
  const attributes = descriptor === undefined ? 0 : attributesOf(descriptor);
  let seen = descriptor !== undefined;
  if ((attributes & attribute.s) === 0) {
    const types = (what === 'rights' ? larTypes : lslTypes)[state.longMode ? 'long' : 'legacy'];
    seen &&= ((types >> (attributes & 0xf)) & 1) !== 0 && !privileged(cpu, selector, attributes);
  } else {
    const conforming =
      (attributes & (attribute.code | attribute.conforming)) === (attribute.code | attribute.conforming);
    seen &&= conforming || !privileged(cpu, selector, attributes);
  }
  state.setScratch(0, seen ? 1n : 0n);
  if (descriptor !== undefined) {
    state.setScratch(1, BigInt(what === 'rights' ? (descriptor.high & 0x00ff_ff00) >>> 0 : limitOf(descriptor)));
  }
  return status.next;
}

/** VERR and VERW: scratch 0 = usable. */
export function verify(cpu: Processor, write: boolean): number {
  const { state } = cpu;
  const selector = state.scratch32(0) & 0xffff;
  const descriptor = visible(cpu, selector);
  const attributes = descriptor === undefined ? 0 : attributesOf(descriptor);
  let usable = (attributes & attribute.s) !== 0;
  if ((attributes & attribute.code) !== 0) {
    const conforming = (attributes & attribute.conforming) !== 0;
    usable &&=
      !write && (attributes & attribute.readable) !== 0 && (conforming || !privileged(cpu, selector, attributes));
  } else {
    usable &&= (!write || (attributes & attribute.writable) !== 0) && !privileged(cpu, selector, attributes);
  }
  state.setScratch(0, usable ? 1n : 0n);
  return status.next;
}
