/** Random register state of a case: general registers, flags, segments, x87, MMX and SSE. */
import { baseFlags, type CaseBuilder } from './builder.ts';
import type { Encoding } from './encoding.ts';
import { espHigh16, fxField, region, selector, stateField } from './layout.ts';
import type { Random } from './random.ts';
import type { Shape } from './shape.ts';
import { type ValueKind, writeF32, writeF64, writeF80, writeInt64, writeValues } from './values.ts';

const statusFlags = [0x001, 0x004, 0x010, 0x040, 0x080, 0x800] as const;
const directionFlag = 0x400;
const alignmentCheck = 0x4_0000;
const rsp = 4;

const flat32 = [selector.data, selector.data, selector.data, selector.data, selector.data, selector.data] as const;
const data16 = [selector.data16Middle, selector.data16Top] as const;
const special32 = [
  selector.dataSmall,
  selector.dataSmall,
  selector.dataReadOnly,
  selector.dataExpandDown,
  selector.code32,
  selector.data16Middle,
  selector.data16Top,
  0,
] as const;

export const is16BitStack = (ss: number): boolean => ss === selector.data16Middle || ss === selector.data16Top;

/** Everything a row's cases share unless they say otherwise: unrelated registers hold the same values in all of them. */
export function fillTemplate(b: CaseBuilder, rng: Random): void {
  for (let r = 0; r < 16; r++) writeInt64(b.view, stateField.gpr + 8 * r, rng);
  const fx = stateField.fx;
  for (let i = 0; i < 256; i += 4) b.view.setUint32(fx + fxField.xmm + i, rng.u32(), true);
  for (let i = 0; i < 8; i++) writeF80(b.view, fx + fxField.st + 16 * i, rng);
  b.setFx(fxField.fcw, 0x37f);
  b.setFx(fxField.fsw, rng.below(8) << 11);
  b.bytes[fx + fxField.ftw] = 0xff;
  b.setFx(fxField.fop, rng.below(0x800));
  b.view.setUint32(fx + fxField.fip, rng.u32(), true);
  b.view.setUint32(fx + fxField.fdp, rng.u32(), true);
  b.view.setUint32(fx + fxField.mxcsr, 0x1f80, true);
}

function randomFlags(shape: Shape, rng: Random): number {
  let flags = baseFlags;
  const bits = rng.u32();
  for (const [i, flag] of statusFlags.entries()) if (bits & (1 << i)) flags |= flag;
  const isString = shape.operands.some((o) => o.source === 'X' || o.source === 'Y');
  if (rng.chance(isString ? 50 : 8)) flags |= directionFlag;
  // Of misaligned FXSAVE areas the CPU may say #AC or #GP; bytes written by a mask may count as one access.
  if (rng.chance(1.5) && !/^(fxsave|fxrstor|xsave|xsaveopt|xrstor|maskmovq|maskmovdqu)$/.test(shape.row.semantics))
    flags |= alignmentCheck;
  return flags;
}

/** Segment registers for the mode, such that the encoding's address size reaches the window through its segment. */
function randomSegments(b: CaseBuilder, e: Encoding, rng: Random): void {
  const s = b.selectors;
  if (e.mode === 64) {
    s.set([rng.pick([0, 0, selector.data]), selector.code64, selector.data, rng.pick([0, 0, selector.data])]);
    for (const i of [4, 5]) s[i] = rng.chance(90) ? 0 : rng.pick([selector.data, selector.data16Middle]);
    return;
  }
  const wide = (): number => (rng.chance(80) ? rng.pick(flat32) : rng.pick(special32));
  const narrow = (): number => (rng.chance(96) ? rng.pick(data16) : wide());
  const pick = (): number => (e.addressSize === 16 ? narrow() : wide());
  s[1] = e.mode === 16 ? selector.code16 : rng.chance(80) ? selector.code32 : selector.code32Based;
  for (const i of [0, 3, 4, 5]) s[i] = pick();
  const narrowStack = e.mode === 16 ? rng.chance(85) : rng.chance(6);
  s[2] =
    narrowStack || (e.addressSize === 16 && e.segment === 2)
      ? rng.pick(data16)
      : rng.chance(85)
        ? selector.data
        : selector.dataSmall;
  // The upper half of ESP is fixed under a 16-bit stack segment, so it cannot point anywhere.
  const usesEsp = e.addressSize === 32 && (e.base === rsp || e.index === rsp);
  if (usesEsp && is16BitStack(s[2])) s[2] = selector.data;
}

/** FS and GS bases: by descriptor if loaded, otherwise anything canonical. */
function segmentBases(b: CaseBuilder, e: Encoding, rng: Random): void {
  for (const segment of [4, 5]) {
    const field = segment === 4 ? stateField.fsBase : stateField.gsBase;
    const value = b.selectors[segment] ?? 0;
    let base = 0n;
    if (value >= 4) base = b.base(segment);
    else if (e.mode === 64) {
      const choice = rng.below(4);
      if (choice === 1) base = BigInt(rng.below(0x10000));
      else if (choice === 2) base = BigInt(region.data.address - rng.below(0x2000));
      else if (choice === 3) base = BigInt.asUintN(64, BigInt.asIntN(47, rng.u64()));
    }
    b.view.setBigUint64(field, base, true);
  }
}

function randomGprs(b: CaseBuilder, e: Encoding, shape: Shape, rng: Random): void {
  // Of the registers that an SSE or x87 instruction does not name, it sees at most the first three.
  const count = shape.usesXmm || shape.usesX87 ? 3 : 8;
  for (let r = 0; r < count; r++) writeInt64(b.view, stateField.gpr + 8 * r, rng);
  for (const r of [e.reg, e.rm, e.vvvv]) if (r >= count) writeInt64(b.view, stateField.gpr + 8 * r, rng);
  if (e.rm >= 0 && rng.chance(10)) b.gpr[e.rm] = b.gpr[e.reg] ?? 0n;
  if (e.mode !== 64) clearUpper(b);
}

/** 32-bit code has no upper halves and no R8–R15. */
export function clearUpper(b: CaseBuilder): void {
  for (let r = 0; r < 8; r++) b.gpr32[2 * r + 1] = 0;
  b.gpr32.fill(0, 16);
  if (is16BitStack(b.selectors[2] ?? 0)) b.gpr32[2 * rsp] = espHigh16 | ((b.gpr32[2 * rsp] ?? 0) & 0xffff);
}

function otherKind(kind: ValueKind, rng: Random): ValueKind {
  return rng.chance(90) ? kind : rng.pick(['int', 'f32', 'f64'] as const);
}

/** MXCSR: usually all exceptions masked; any rounding, FTZ, DAZ and sticky flags. */
function randomMxcsr(rng: Random): number {
  let value = 0x1f80;
  if (rng.chance(45)) value |= rng.below(4) << 13;
  if (rng.chance(12)) value |= 0x8000;
  if (rng.chance(12)) value |= 0x40;
  if (rng.chance(25)) value |= rng.below(64);
  if (rng.chance(15)) value &= ~(rng.below(64) << 7);
  return value;
}

function randomXmm(b: CaseBuilder, e: Encoding, shape: Shape, rng: Random): void {
  const at = (register: number): number => stateField.fx + fxField.xmm + 16 * (register & 15);
  const write = (register: number): void =>
    writeValues(b.view, at(register), 16, otherKind(shape.kind, rng), rng, shape.lane);
  for (const register of new Set([0, e.reg, Math.max(e.rm, 0), e.vvvv])) write(register);
  if (e.rm >= 0 && rng.chance(12)) b.bytes.copyWithin(at(e.rm), at(e.reg), at(e.reg) + 16);
  b.view.setUint32(stateField.fx + fxField.mxcsr, randomMxcsr(rng), true);
}

/** A value as a program would have loaded it: single, double, integer or any extended. */
function writeStack(view: DataView, at: number, rng: Random): void {
  if (rng.chance(75)) {
    writeF80(view, at, rng);
    return;
  }
  const scratch = new DataView(new ArrayBuffer(8));
  if (rng.chance(50)) writeF32(scratch, 0, rng);
  else writeF64(scratch, 0, rng);
  view.setBigUint64(at, (1n << 63n) | scratch.getBigUint64(0, true), true);
  view.setUint16(at + 8, 0x3fff + rng.between(-40, 40), true);
}

function randomX87(b: CaseBuilder, shape: Shape, rng: Random): void {
  const fx = stateField.fx;
  const isMmx = shape.operands.some((o) => 'PQN'.includes(o.source) && o.source !== 'fixed');
  let fcw = 0x37f;
  if (rng.chance(50)) fcw = (fcw & ~0xc00) | (rng.below(4) << 10);
  if (rng.chance(40)) fcw = (fcw & ~0x300) | (rng.pick([0, 2, 3]) << 8);
  if (rng.chance(12)) fcw &= ~rng.below(64);
  let fsw = (rng.below(8) << 11) | (rng.below(8) << 8) | (rng.below(2) << 14);
  if (rng.chance(25)) fsw |= rng.below(128) & (rng.chance(90) ? fcw | 0x40 : 0x7f);
  if (fsw & ~fcw & 0x3f) fsw |= 0x8080;
  b.setFx(fxField.fcw, fcw);
  b.setFx(fxField.fsw, fsw);
  b.bytes[fx + fxField.ftw] = rng.chance(70) ? 0xff : rng.chance(15) ? 0 : rng.below(256);
  for (let i = 0; i < 8; i++) {
    const at = fx + fxField.st + 16 * i;
    writeStack(b.view, at, rng);
    if (!isMmx || rng.chance(20)) continue;
    writeValues(b.view, at, 8, otherKind(shape.kind === 'f80' ? 'int' : shape.kind, rng), rng, shape.lane);
    b.view.setUint16(at + 8, 0xffff, true);
  }
}

/** Registers of a case, before addresses are chosen. */
export function randomRegisters(b: CaseBuilder, e: Encoding, shape: Shape, rng: Random): void {
  b.flags = randomFlags(shape, rng);
  randomSegments(b, e, rng);
  segmentBases(b, e, rng);
  randomGprs(b, e, shape, rng);
  if (shape.usesXmm) randomXmm(b, e, shape, rng);
  if (shape.usesX87) randomX87(b, shape, rng);
}
