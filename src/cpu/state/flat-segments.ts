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
const readWrite = segmentAccess.read | segmentAccess.write;

export function flatCode(dpl: number, long: boolean): FlatSegment {
  const type = attribute.code | attribute.readable | attribute.accessed;
  const attributes = always | type | (dpl << 5) | (long ? attribute.long : attribute.big);
  return { base: 0n, limit, attributes, access: segmentAccess.read | segmentAccess.whole };
}

export function flatStack(dpl: number): FlatSegment {
  const type = attribute.writable | attribute.accessed;
  const attributes = always | type | (dpl << 5) | attribute.big;
  return { base: 0n, limit, attributes, access: readWrite | segmentAccess.big | segmentAccess.whole };
}

const { es, cs, ss, ds } = segmentIndex;

/** Whether CS, DS, ES and SS span the linear address space from 0 to 4 GiB, DS, ES and SS for writing, too. */
export function hasFlatSegments(view: DataView): boolean {
  for (const index of [cs, ds, es, ss]) {
    const at = segmentAt(index);
    const wanted = index === cs ? segmentAccess.whole : readWrite | segmentAccess.whole;
    if ((view.getUint32(at + segmentField.access, true) & wanted) !== wanted) return false;
    if (view.getInt32(at + segmentField.base, true) !== 0 || view.getInt32(at + segmentField.base + 4, true) !== 0)
      return false;
  }
  return (view.getUint32(segmentAt(ss) + segmentField.access, true) & segmentAccess.big) !== 0;
}
