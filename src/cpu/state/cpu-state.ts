/** Typed access to the vCPU's state block for slow paths, saved state, tests and reports. */
import { cr0, efer, eflags } from '../../spec/x86/registers.ts';
import { readEflags, writeEflags } from './flags.ts';
import { segmentAccess, segmentAt, segmentField, segmentIndex, state, tableField } from './layout.ts';

/** A segment register with its hidden part. */
export interface SegmentValue {
  readonly selector: number;
  /** Linear base; up to 64 bits for FS, GS, LDTR, TR. */
  readonly base: bigint;
  /** Bytes, scaled by G. */
  readonly limit: number;
  /** Descriptor bits 40–55: type, S, DPL, P in 7:0; AVL, L, D/B, G in 15:12. */
  readonly attributes: number;
}

/** Bits of a segment's attributes. SDM Vol. 3A 3.4.5. */
export const attribute = {
  accessed: 0x1,
  writable: 0x2,
  readable: 0x2,
  expandDown: 0x4,
  conforming: 0x4,
  code: 0x8,
  s: 0x10,
  dpl: 0x60,
  present: 0x80,
  long: 0x2000,
  big: 0x4000,
  granularity: 0x8000,
} as const;

export const dplOf = (attributes: number): number => (attributes >> 5) & 3;

/** What loads and stores through a data segment may do. */
function accessOf(attributes: number, limit: number, real: boolean): number {
  const whole = limit === 0xffff_ffff ? segmentAccess.whole : 0;
  if (real) return segmentAccess.read | segmentAccess.write | whole;
  if ((attributes & attribute.present) === 0 || (attributes & attribute.s) === 0) return 0;
  if ((attributes & attribute.code) !== 0)
    return (attributes & attribute.readable) !== 0 ? segmentAccess.read | whole : whole;
  let access: number = segmentAccess.read;
  if ((attributes & attribute.writable) !== 0) access |= segmentAccess.write;
  access |= (attributes & attribute.expandDown) !== 0 ? segmentAccess.expandDown : whole;
  if ((attributes & attribute.big) !== 0) access |= segmentAccess.big;
  return access;
}

type State64 = 'rip' | 'cr0' | 'cr2' | 'cr3' | 'cr4' | 'efer' | 'xcr0' | 'star' | 'lstar' | 'fmask';

export class CpuState {
  readonly view: DataView;
  /** The same memory, for copying. */
  readonly bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** General register 0–15, unsigned. */
  gpr(number: number): bigint {
    return this.view.getBigUint64(state.gpr + number * 8, true);
  }

  setGpr(number: number, value: bigint): void {
    this.view.setBigUint64(state.gpr + number * 8, BigInt.asUintN(64, value), true);
  }

  gpr32(number: number): number {
    return this.view.getUint32(state.gpr + number * 8, true);
  }

  /** Writes 32 bits and clears the upper half, as 32-bit operations do. */
  setGpr32(number: number, value: number): void {
    this.view.setUint32(state.gpr + number * 8, value >>> 0, true);
    this.view.setUint32(state.gpr + number * 8 + 4, 0, true);
  }

  setGpr16(number: number, value: number): void {
    this.view.setUint16(state.gpr + number * 8, value & 0xffff, true);
  }

  get64(name: State64): bigint {
    return this.view.getBigUint64(state[name], true);
  }

  set64(name: State64, value: bigint): void {
    this.view.setBigUint64(state[name], BigInt.asUintN(64, value), true);
  }

  get rip(): bigint {
    return this.get64('rip');
  }

  set rip(value: bigint) {
    this.set64('rip', value);
  }

  /** Low half of a control register, for tests of single bits. */
  low(name: State64): number {
    return this.view.getUint32(state[name], true);
  }

  get eflags(): number {
    return readEflags(this.view);
  }

  set eflags(value: number) {
    writeEflags(this.view, value);
  }

  /** A REP instruction has rounds to go. */
  set interruptWaiting(value: boolean) {
    this.view.setInt32(state.interruptWaiting, value ? 1 : 0, true);
  }

  get midRepeat(): boolean {
    return this.view.getInt32(state.midRepeat, true) !== 0;
  }

  set midRepeat(value: boolean) {
    this.view.setInt32(state.midRepeat, value ? 1 : 0, true);
  }

  /** A bit of EFLAGS outside the status flags. */
  flag(mask: number): boolean {
    return (this.view.getUint32(state.eflags, true) & mask) !== 0;
  }

  setFlag(mask: number, on: boolean): void {
    const old = this.view.getUint32(state.eflags, true);
    this.view.setUint32(state.eflags, on ? old | mask : old & ~mask, true);
  }

  get iopl(): number {
    return (this.view.getUint32(state.eflags, true) >> 12) & 3;
  }

  get cpl(): number {
    return this.view.getUint32(state.cpl, true);
  }

  set cpl(value: number) {
    this.view.setUint32(state.cpl, value, true);
  }

  get shadow(): number {
    return this.view.getUint32(state.shadow, true);
  }

  set shadow(value: number) {
    this.view.setUint32(state.shadow, value, true);
  }

  get virtual8086(): boolean {
    return this.flag(eflags.vm);
  }

  /** Real-address mode (not virtual-8086). */
  get real(): boolean {
    return (this.view.getUint32(state.cr0, true) & cr0.pe) === 0;
  }

  /** Real or virtual-8086: segments are selector × 16. */
  get realSegments(): boolean {
    return this.real || this.virtual8086;
  }

  /** EFER.LMA. */
  get longMode(): boolean {
    return (this.view.getUint32(state.efer, true) & efer.lma) !== 0;
  }

  /** 64-bit code (long mode and CS.L). */
  get code64(): boolean {
    return this.longMode && (this.segmentAttributes(segmentIndex.cs) & attribute.long) !== 0;
  }

  selector(index: number): number {
    return this.view.getUint16(segmentAt(index) + segmentField.selector, true);
  }

  segmentAttributes(index: number): number {
    return this.view.getUint32(segmentAt(index) + segmentField.attributes, true);
  }

  segmentBase(index: number): bigint {
    return this.view.getBigUint64(segmentAt(index) + segmentField.base, true);
  }

  setSegmentBase(index: number, base: bigint): void {
    this.view.setBigUint64(segmentAt(index) + segmentField.base, BigInt.asUintN(64, base), true);
  }

  segmentLimit(index: number): number {
    return this.view.getUint32(segmentAt(index) + segmentField.limit, true);
  }

  segment(index: number): SegmentValue {
    return {
      selector: this.selector(index),
      base: this.segmentBase(index),
      limit: this.segmentLimit(index),
      attributes: this.segmentAttributes(index),
    };
  }

  setSegment(index: number, value: SegmentValue): void {
    const at = segmentAt(index);
    this.view.setBigUint64(at + segmentField.base, BigInt.asUintN(64, value.base), true);
    this.view.setUint32(at + segmentField.limit, value.limit >>> 0, true);
    this.view.setUint32(at + segmentField.selector, value.selector & 0xffff, true);
    this.view.setUint32(at + segmentField.attributes, value.attributes, true);
    this.view.setUint32(
      at + segmentField.access,
      accessOf(value.attributes, value.limit >>> 0, this.realSegments),
      true,
    );
  }

  /** The same in protected mode for a base of 32 bits, without BigInt. */
  setSegment32(index: number, selector: number, value: { base: number; limit: number; attributes: number }): void {
    const at = segmentAt(index);
    this.view.setUint32(at + segmentField.base, value.base, true);
    this.view.setUint32(at + segmentField.base + 4, 0, true);
    this.view.setUint32(at + segmentField.limit, value.limit, true);
    this.view.setUint32(at + segmentField.selector, selector, true);
    this.view.setUint32(at + segmentField.attributes, value.attributes, true);
    this.view.setUint32(at + segmentField.access, accessOf(value.attributes, value.limit >>> 0, false), true);
  }

  /** Recomputes what loads and stores may do, after CR0.PE or EFLAGS.VM changed. */
  refreshSegmentAccess(): void {
    for (let index = 0; index <= segmentIndex.gs; index++) {
      this.view.setUint32(
        segmentAt(index) + segmentField.access,
        accessOf(this.segmentAttributes(index), this.segmentLimit(index), this.realSegments),
        true,
      );
    }
  }

  get kernelGsBase(): bigint {
    return this.view.getBigUint64(state.kernelGsBase, true);
  }

  set kernelGsBase(value: bigint) {
    this.view.setBigUint64(state.kernelGsBase, BigInt.asUintN(64, value), true);
  }

  /** GDTR or IDTR. */
  table(name: 'gdtr' | 'idtr'): { base: bigint; limit: number } {
    return {
      base: this.view.getBigUint64(state[name] + tableField.base, true),
      limit: this.view.getUint32(state[name] + tableField.limit, true),
    };
  }

  setTable(name: 'gdtr' | 'idtr', base: bigint, limit: number): void {
    this.view.setBigUint64(state[name] + tableField.base, BigInt.asUintN(64, base), true);
    this.view.setUint32(state[name] + tableField.limit, limit, true);
  }

  dr(number: number): bigint {
    return this.view.getBigUint64(state.dr + number * 8, true);
  }

  setDr(number: number, value: bigint): void {
    this.view.setBigUint64(state.dr + number * 8, BigInt.asUintN(64, value), true);
  }

  /** Argument or result of a slow path. */
  scratch(position: number): bigint {
    return this.view.getBigUint64(state.scratch + position * 8, true);
  }

  scratch32(position: number): number {
    return this.view.getUint32(state.scratch + position * 8, true);
  }

  scratchHigh(position: number): number {
    return this.view.getUint32(state.scratch + position * 8 + 4, true);
  }

  setScratch(position: number, value: bigint): void {
    this.view.setBigUint64(state.scratch + position * 8, BigInt.asUintN(64, value), true);
  }
}

/** A linear address as the MMU takes it: a signed number; undefined if it is not canonical (48 bits). */
export function canonical(address: bigint): number | undefined {
  const signed = BigInt.asIntN(64, address);
  return BigInt.asIntN(48, signed) === signed ? Number(signed) : undefined;
}
