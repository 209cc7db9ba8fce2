/** The flat segments that SYSCALL, SYSRET, SYSENTER and SYSEXIT load without looking at descriptors. SDM Vol. 2B. */
import { attribute } from './cpu-state.ts';
import { segmentAccess } from './layout.ts';

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
