/**
 * Flat segments: those that SYSCALL, SYSRET, SYSENTER and SYSEXIT load without looking at descriptors (SDM Vol. 2B), and how
 * to tell that a 32-bit system uses no others (Vol. 3A 3.2.1).
 */
import { attribute } from './cpu-state.ts';
import { segmentAccess, segmentAt, segmentField, segmentIndex } from './layout.ts';

interface FlatSegment {
  readonly base: 0n;
  readonly limit: number;
  readonly attributes: number;
  /** `segmentAccess` bits outside real and virtual-8086 mode. */
  readonly access: number;
}

const always = attribute.s | attribute.present | attribute.granularity;
const limit = 0xffff_ffff;

export function flatCode(dpl: number, long: boolean): FlatSegment {
  const type = attribute.code | attribute.readable | attribute.accessed;
  const attributes = always | type | (dpl << 5) | (long ? attribute.long : attribute.big);
  return { base: 0n, limit, attributes, access: segmentAccess.read };
}

export function flatStack(dpl: number): FlatSegment {
  const type = attribute.writable | attribute.accessed;
  const attributes = always | type | (dpl << 5) | attribute.big;
  return { base: 0n, limit, attributes, access: segmentAccess.read | segmentAccess.write | segmentAccess.big };
}

const { es, cs, ss, ds } = segmentIndex;
const readWrite = segmentAccess.read | segmentAccess.write;
/** Of a segment that grows upwards, and whose D/B bit counts for stacks alone. */
const looked = readWrite | segmentAccess.expandDown;

/** Whether CS, DS, ES and SS span the linear address space from 0 to 4 GiB, DS, ES and SS for writing, too. */
export function hasFlatSegments(view: DataView): boolean {
  for (const index of [cs, ds, es, ss]) {
    const at = segmentAt(index);
    if (view.getBigUint64(at + segmentField.base, true) !== 0n) return false;
    if (view.getUint32(at + segmentField.limit, true) !== limit) return false;
    if (index !== cs && (view.getUint32(at + segmentField.access, true) & looked) !== readWrite) return false;
  }
  return (view.getUint32(segmentAt(ss) + segmentField.access, true) & segmentAccess.big) !== 0;
}
