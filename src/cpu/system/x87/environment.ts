/** FNSTENV, FLDENV, FNSAVE, FRSTOR in their four formats. SDM Vol. 1 8.1.10, figures 8-9 to 8-12. */
import { floatException } from '../../../spec/x86/floating-point.ts';
import { x87Status, x87Tag } from '../../../spec/x86/x87.ts';
import { x87Source } from '../../emit/x87-operations.ts';
import { generalProtection } from '../../guest-fault.ts';
import { extended, type F80 } from '../../softfloat/format.ts';
import { kind } from '../../softfloat/unpacked.ts';
import { canonical } from '../../state/cpu-state.ts';
import { type FpuRegisters, initializeX87, physicalRegister, summarized } from '../../state/fpu-registers.ts';
import { fpuImage } from '../../state/layout.ts';
import type { X87Unit } from './unit.ts';

const { base } = fpuImage;
const registerBytes = 80;
/** What the unused upper halves of 32-bit fields hold. */
const reservedHigh = 0xffff_0000;

function tagOf(value: F80): number {
  const unpacked = extended.unpack(value);
  if (unpacked.kind === kind.zero) return x87Tag.zero;
  return unpacked.kind === kind.finite && !unpacked.denormal ? x87Tag.valid : x87Tag.special;
}

/** The 16-bit tag word that the registers stand for. SDM Vol. 1 8.1.7. */
function fullTags(fpu: FpuRegisters): number {
  let tags = 0;
  for (let number = 0; number < 8; number++) {
    const isEmpty = ((fpu.valid >> number) & 1) === 0;
    tags |= (isEmpty ? x87Tag.empty : tagOf(fpu.read(number))) << (number * 2);
  }
  return tags;
}

function validOf(tags: number): number {
  let valid = 0;
  for (let number = 0; number < 8; number++) {
    if (((tags >> (number * 2)) & 3) !== x87Tag.empty) valid |= 1 << number;
  }
  return valid;
}

/** The format of the instruction: width of its fields, and whether real or virtual-8086 mode packs the pointers. */
interface Format {
  readonly fieldBytes: 2 | 4;
  readonly isReal: boolean;
}

function formatOf(u: X87Unit): Format {
  return { fieldBytes: u.source === x87Source.int16 ? 2 : 4, isReal: u.cpu.state.realSegments };
}

const environmentBytes = (format: Format): number => format.fieldBytes * 7;

/** The pointer fields 3–6 of an environment. FCS and FDS are 0, as CPUID.7.0:EBX[13] reports. */
function pointerFields(fpu: FpuRegisters, { fieldBytes, isReal }: Format): [number, number, number, number] {
  const fip = Number(fpu.fip & 0xffff_ffffn);
  const fdp = Number(fpu.fdp & 0xffff_ffffn);
  if (!isReal) return fieldBytes === 2 ? [fip, 0, fdp, 0] : [fip, fpu.fop << 16, fdp, reservedHigh];
  const highShift = fieldBytes === 2 ? 0xf : 0xffff;
  const ipHigh = ((fip >>> 16) & highShift) << 12;
  const dpHigh = ((fdp >>> 16) & highShift) << 12;
  const filler = fieldBytes === 2 ? 0 : reservedHigh;
  return [(fip & 0xffff) | filler, ipHigh | fpu.fop, (fdp & 0xffff) | filler, dpHigh];
}

function stageEnvironment(u: X87Unit, format: Format): void {
  const { registers } = u;
  const { view } = registers;
  const control = [registers.fcw, registers.fsw, fullTags(registers)];
  const fields = [...control.map((field) => field | reservedHigh), ...pointerFields(registers, format)];
  fields.forEach((field, position) => {
    if (format.fieldBytes === 2) view.setUint16(base + position * 2, field & 0xffff, true);
    else view.setUint32(base + position * 4, field >>> 0, true);
  });
}

function unstageEnvironment(u: X87Unit, format: Format): void {
  const { registers } = u;
  const { view } = registers;
  const wide = format.fieldBytes === 4;
  const field = (position: number): number =>
    wide ? view.getUint32(base + position * 4, true) : view.getUint16(base + position * 2, true);
  registers.loadControl(field(0) & 0xffff);
  registers.fsw = summarized(field(1) & 0xffff, registers.fcw);
  registers.valid = validOf(field(2));
  if (format.isReal) {
    const low = (position: number): number => (field(position) & 0xffff) | ((field(position + 1) & 0x0fff_f000) << 4);
    registers.fip = BigInt(low(3) >>> 0);
    registers.fop = field(4);
    registers.fdp = BigInt(low(5) >>> 0);
  } else {
    registers.fip = BigInt(field(3));
    registers.fop = wide ? field(4) >>> 16 : 0;
    registers.fdp = BigInt(field(5));
  }
}

/** The first field of an image is touched, and its alignment checked, before the limit counts for the last byte. */
const touch =
  (write: boolean) =>
  (u: X87Unit): void => {
    const linear = canonical(u.cpu.state.scratch(1)) as number;
    const { fieldBytes } = formatOf(u);
    u.cpu.mmu.checkAlignment(linear, fieldBytes);
    u.cpu.mmu.touch(linear, fieldBytes, write);
  };

/** Whether the end of the segment, `offset` into the image, cuts a field (or a significand) in two: beyond the limit. */
function isInsideField(format: Format, offset: number): boolean {
  const inRegisters = offset - environmentBytes(format);
  if (inRegisters < 0) return offset % format.fieldBytes !== 0;
  return inRegisters % 10 !== 0 && inRegisters % 10 !== 8;
}

/** Moves an image between the staging area and memory, in two parts where it wraps around the end of its segment. */
function transfer(u: X87Unit, format: Format, bytes: number, write: boolean): void {
  const { mmu, state } = u.cpu;
  const first = canonical(state.scratch(1)) as number;
  const last = canonical(state.scratch(2)) as number;
  mmu.touch(last, 1, write);
  const move = (linear: number, address: number, count: number): void => {
    if (write) mmu.writeRange(linear, address, count);
    else mmu.readRange(linear, address, count);
  };
  const wrap = first + bytes - 1 - last;
  if (wrap === 0) {
    move(first, base, bytes);
    return;
  }
  const before = wrap - Number(state.scratch(3) % BigInt(wrap));
  if (isInsideField(format, before)) throw generalProtection();
  mmu.touch(first, before, write);
  move(last - (bytes - before) + 1, base + before, bytes - before);
  move(first, base, before);
}

/** FNSTENV masks all exceptions once the environment is stored. */
function storeEnvironment(u: X87Unit): void {
  const format = formatOf(u);
  stageEnvironment(u, format);
  transfer(u, format, environmentBytes(format), true);
  u.registers.loadControl(u.registers.fcw | floatException.all);
}

function loadEnvironment(u: X87Unit): void {
  const format = formatOf(u);
  transfer(u, format, environmentBytes(format), false);
  unstageEnvironment(u, format);
}

const topOf = (fpu: FpuRegisters): number => (fpu.fsw & x87Status.topMask) >> x87Status.topShift;

/** FNSAVE: environment, ST(0)…ST(7), then FNINIT. */
function save(u: X87Unit): void {
  const format = formatOf(u);
  const { registers } = u;
  const start = base + environmentBytes(format);
  stageEnvironment(u, format);
  const bytes = new Uint8Array(registers.view.buffer);
  for (let i = 0; i < 8; i++) {
    const from = physicalRegister(topOf(registers) + i);
    bytes.copyWithin(start + i * 10, from, from + 10);
  }
  transfer(u, format, environmentBytes(format) + registerBytes, true);
  initializeX87(registers.view);
}

function restore(u: X87Unit): void {
  const format = formatOf(u);
  const { registers } = u;
  const start = base + environmentBytes(format);
  transfer(u, format, environmentBytes(format) + registerBytes, false);
  unstageEnvironment(u, format);
  const bytes = new Uint8Array(registers.view.buffer);
  for (let i = 0; i < 8; i++) {
    bytes.copyWithin(physicalRegister(topOf(registers) + i), start + i * 10, start + i * 10 + 10);
  }
}

export const environments = {
  'touch-read': touch(false),
  'touch-write': touch(true),
  'store-environment': storeEnvironment,
  'load-environment': loadEnvironment,
  save,
  restore,
} as const;
