/** Random encodings of a row: prefixes, REX or VEX, ModRM and SIB forms, immediates of the right width. */
import type { Random } from './random.ts';
import type { Shape } from './shape.ts';
import { widthBytes } from './shape.ts';

export interface Immediate {
  readonly bytes: number;
  value: bigint;
}

export interface Encoding {
  readonly mode: 16 | 32 | 64;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** Legacy prefixes in order. */
  readonly prefixes: readonly number[];
  readonly lock: boolean;
  readonly repeat: boolean;
  /** REX byte, or -1. */
  readonly rex: number;
  /** VEX bytes, or empty. */
  readonly vex: readonly number[];
  /** Escape bytes and opcode. */
  readonly opcode: readonly number[];
  /** ModRM and SIB, or -1. */
  readonly modrm: number;
  readonly sib: number;
  readonly displacementBytes: 0 | 1 | 2 | 4 | 8;
  displacement: bigint;
  readonly immediates: readonly Immediate[];
  /** ModRM.reg and rm (or the register in the opcode) with their extension bits; rm -1 for memory. */
  readonly reg: number;
  readonly rm: number;
  readonly vvvv: number;
  /** Memory operand: registers or -1; `ripRelative` has neither. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly ripRelative: boolean;
  /** Segment register number of the memory operand. */
  readonly segment: number;
  readonly override: boolean;
}

const segmentPrefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const bases16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const indices16 = [6, 7, 6, 7, -1, -1, -1, -1] as const;

interface Prefixes {
  readonly bytes: number[];
  readonly operandOverride: boolean;
  readonly addressOverride: boolean;
  readonly lock: boolean;
  readonly repeat: boolean;
  /** Overriding segment, or -1. */
  readonly segment: number;
}

function choosePrefixes(shape: Shape, mode: number, isMemory: boolean, rng: Random): Prefixes {
  const { row } = shape;
  const bytes: number[] = [];
  const addressed =
    isMemory || shape.operands.some((o) => 'XYO'.includes(o.source)) || /^(loop|jcxz|xlat|maskmov)/.test(row.semantics);
  const mandatory =
    row.vex === true || row.prefix === undefined || row.prefix === 'NP' ? 0 : Number.parseInt(row.prefix, 16);
  const may66 = row.vex !== true && row.prefix !== 'NP' && !shape.takenPrefixes.includes(0x66);
  const operandOverride = mandatory === 0x66 || (may66 && rng.chance(shape.sized ? 28 : 3));
  const addressOverride = rng.chance(addressed ? 14 : 2);
  let lock = false;
  if (row.vex !== true) lock = row.lock === true && isMemory ? rng.chance(20) : rng.chance(0.7);
  let repeat = 0;
  if (row.rep !== undefined) repeat = rng.pick([0, 0xf2, 0xf3, 0xf3]);
  else if (mandatory === 0xf2 || mandatory === 0xf3) repeat = mandatory;
  else if (row.prefix === undefined && row.vex !== true && !lock && rng.chance(2)) {
    repeat = rng.pick([0xf2, 0xf3]);
    if (shape.takenPrefixes.includes(repeat)) repeat = 0;
  }
  let segment = -1;
  if (rng.chance(addressed ? 14 : 2)) {
    segment = rng.below(6);
    bytes.push(segmentPrefixes[segment] ?? 0);
    // In 64-bit mode the other four are ignored, even after FS or GS.
    if (mode === 64 && segment < 4) segment = -1;
  }
  if (operandOverride) bytes.push(0x66);
  if (addressOverride) bytes.push(0x67);
  if (lock) bytes.push(0xf0);
  if (repeat !== 0) bytes.push(repeat);
  for (let i = bytes.length - 1; i > 0; i--) {
    const j = rng.below(i + 1);
    [bytes[i], bytes[j]] = [bytes[j] ?? 0, bytes[i] ?? 0];
  }
  return { bytes, operandOverride, addressOverride, lock, repeat: repeat !== 0 && row.rep !== undefined, segment };
}

interface MemoryForm {
  readonly modrm: number;
  readonly sib: number;
  readonly rexXB: number;
  readonly displacementBytes: 0 | 1 | 2 | 4 | 8;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly ripRelative: boolean;
}

function memoryForm16(rng: Random): MemoryForm {
  const mod = rng.below(3);
  const rm = rng.below(8);
  const direct = mod === 0 && rm === 6;
  return {
    modrm: (mod << 6) | rm,
    sib: -1,
    rexXB: 0,
    displacementBytes: direct ? 2 : mod === 0 ? 0 : mod === 1 ? 1 : 2,
    base: direct ? -1 : (bases16[rm] ?? -1),
    index: indices16[rm] ?? -1,
    scale: 0,
    ripRelative: false,
  };
}

function memoryForm(mode: number, rng: Random): MemoryForm {
  const mod = rng.below(3);
  const extend = mode === 64 ? rng.below(4) : 0;
  const displacementBytes = mod === 0 ? 0 : mod === 1 ? 1 : 4;
  if (!rng.chance(35)) {
    const rm = rng.pick([0, 1, 2, 3, 5, 6, 7]);
    const bare = mod === 0 && rm === 5;
    return {
      modrm: (mod << 6) | rm,
      sib: -1,
      rexXB: extend,
      displacementBytes: bare ? 4 : displacementBytes,
      base: bare ? -1 : rm + ((extend & 1) << 3),
      index: -1,
      scale: 0,
      ripRelative: bare && mode === 64,
    };
  }
  const scale = rng.below(4);
  const index = rng.below(8) + ((extend & 2) << 2);
  const base = rng.below(8);
  const noBase = mod === 0 && base === 5;
  return {
    modrm: (mod << 6) | 4,
    sib: (scale << 6) | ((index & 7) << 3) | base,
    rexXB: extend,
    displacementBytes: noBase ? 4 : displacementBytes,
    base: noBase ? -1 : base + ((extend & 1) << 3),
    index: index === 4 ? -1 : index,
    scale,
    ripRelative: false,
  };
}

function registerForm(shape: Shape, mode: number, rng: Random): MemoryForm {
  const extend = mode === 64 ? rng.below(2) : 0;
  const rm = shape.row.rm ?? rng.below(8);
  const mod = shape.mod === 'ignored' ? rng.below(4) : 3;
  return {
    modrm: (mod << 6) | rm,
    sib: -1,
    rexXB: extend,
    displacementBytes: 0,
    base: -1,
    index: -1,
    scale: 0,
    ripRelative: false,
  };
}

const noForm: MemoryForm = {
  modrm: -1,
  sib: -1,
  rexXB: 0,
  displacementBytes: 0,
  base: -1,
  index: -1,
  scale: 0,
  ripRelative: false,
};

function immediatesOf(shape: Shape, operandSize: number, rng: Random): Immediate[] {
  const immediates: Immediate[] = [];
  const add = (bytes: number): void => {
    const value = rng.chance(40)
      ? rng.u64()
      : BigInt(rng.pick([0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, -1, -2]));
    immediates.push({ bytes, value: BigInt.asUintN(8 * bytes, value) });
  };
  for (const { source, width } of shape.operands) {
    if (source === 'I' || source === 'J') add(widthBytes(width, operandSize, 0));
    if (source === 'A') {
      add(operandSize / 8);
      add(2);
    }
  }
  return immediates;
}

/** VEX prefix bytes (SDM Vol. 2A 2.3.5); registers are those of the encoding. */
function vexBytes(shape: Shape, w: number, reg: number, form: MemoryForm, vvvv: number, rng: Random): number[] {
  const pp = ['NP', '66', 'F3', 'F2'].indexOf(shape.row.prefix ?? 'NP');
  const inverted = (bit: number): number => (bit ? 0 : 1);
  const last = (w << 7) | ((~vvvv & 15) << 3) | pp;
  const r = inverted(reg & 8) << 7;
  if (shape.row.map === 1 && w === 0 && form.rexXB === 0 && rng.chance(60)) return [0xc5, r | (last & 0x7f)];
  const x = inverted(form.rexXB & 2) << 6;
  const b = inverted(form.rexXB & 1) << 5;
  return [0xc4, r | x | b | shape.row.map, last];
}

function operandSizeOf(shape: Shape, mode: number, prefixes: Prefixes, w: number): 16 | 32 | 64 {
  if (mode === 64) {
    if (w === 1 || shape.row.size64 === 'forced') return 64;
    if (prefixes.operandOverride) return 16;
    return shape.row.size64 === 'default' ? 64 : 32;
  }
  if (shape.row.vex === true) return 32;
  return prefixes.operandOverride === (mode === 16) ? 32 : 16;
}

function addressSizeOf(mode: 16 | 32 | 64, override: boolean): 16 | 32 | 64 {
  if (!override) return mode;
  return mode === 32 ? 16 : 32;
}

function chooseForm(shape: Shape, mode: number, addressSize: number, isMemory: boolean, rng: Random): MemoryForm {
  if (!shape.hasModrm) return noForm;
  if (!isMemory) return registerForm(shape, mode, rng);
  return addressSize === 16 ? memoryForm16(rng) : memoryForm(mode, rng);
}

/** Register of the reg field: the extension, a segment register (mostly an existing one), or any. */
function chooseReg(shape: Shape, mode: number, rng: Random): number {
  const high = mode === 64 ? rng.below(2) << 3 : 0;
  if (shape.row.ext !== undefined) return shape.row.ext + high;
  if (shape.operands.some((o) => o.source === 'S')) return (rng.chance(95) ? rng.below(6) : rng.below(8)) + high;
  return rng.below(8) + high;
}

function chooseW(shape: Shape, mode: number, rng: Random): number {
  const { row } = shape;
  if (row.w !== undefined) return row.w;
  if (mode !== 64) return 0;
  return rng.chance(shape.sized ? 40 : 5) ? 1 : 0;
}

function defaultSegment(form: MemoryForm, override: number): number {
  if (override >= 0) return override;
  return form.base === 4 || form.base === 5 ? 2 : 3;
}

/** REX byte or -1: needed for W and high registers, otherwise there now and then. */
function chooseRex(mode: number, vex: boolean, w: number, high: number, rng: Random): number {
  if (mode !== 64 || vex) return -1;
  const bits = (w << 3) | high;
  return bits !== 0 || rng.chance(15) ? 0x40 | bits : -1;
}

export function randomEncoding(shape: Shape, mode: 16 | 32 | 64, rng: Random): Encoding {
  const { row } = shape;
  const isMemory = shape.mod === 'mem' || (shape.hasModrm && shape.mod === undefined && rng.chance(55));
  const prefixes = choosePrefixes(shape, mode, isMemory, rng);
  const addressSize = addressSizeOf(mode, prefixes.addressOverride);
  const form = chooseForm(shape, mode, addressSize, isMemory, rng);
  const w = chooseW(shape, mode, rng);
  const reg = shape.hasModrm ? chooseReg(shape, mode, rng) : 0;
  const vvvv = shape.operands.some((o) => o.source === 'B') ? rng.below(mode === 64 ? 16 : 8) : 0;
  const vex = row.vex === true;
  const inOpcode = shape.operands.some((o) => o.source === 'Z') || (row.rm !== undefined && !shape.hasModrm);
  const low = inOpcode && row.rm === undefined ? rng.below(8) : 0;
  const lowHigh = inOpcode && mode === 64 && row.rm === undefined ? rng.below(2) : 0;
  const high = (shape.hasModrm ? ((reg & 8) >> 1) | form.rexXB : 0) | lowHigh;
  const rex = chooseRex(mode, vex, w, high, rng);
  const operandSize = operandSizeOf(shape, mode, prefixes, w);
  const escapes = vex || row.map === 0 ? [] : row.map === 1 ? [0x0f] : row.map === 2 ? [0x0f, 0x38] : [0x0f, 0x3a];
  const moffs = shape.operands.some((o) => o.source === 'O');
  const rm = shape.hasModrm ? (isMemory ? -1 : (form.modrm & 7) + ((form.rexXB & 1) << 3)) : low + (lowHigh << 3);
  return {
    mode,
    operandSize,
    addressSize,
    prefixes: prefixes.bytes,
    lock: prefixes.lock,
    repeat: prefixes.repeat,
    rex,
    vex: vex ? vexBytes(shape, w, reg, form, vvvv, rng) : [],
    opcode: [...escapes, row.opcode + low],
    modrm: shape.hasModrm ? form.modrm | ((reg & 7) << 3) : -1,
    sib: form.sib,
    displacementBytes: moffs ? ((addressSize / 8) as 2 | 4 | 8) : form.displacementBytes,
    displacement: 0n,
    immediates: immediatesOf(shape, operandSize, rng),
    reg,
    rm,
    vvvv,
    base: form.base,
    index: form.index,
    scale: form.scale,
    ripRelative: form.ripRelative,
    segment: defaultSegment(form, prefixes.segment),
    override: prefixes.segment >= 0,
  };
}

/** Length in bytes; does not depend on the values of displacement and immediates. */
export function lengthOf(e: Encoding): number {
  const fixed = e.prefixes.length + (e.rex >= 0 ? 1 : 0) + e.vex.length + e.opcode.length;
  const forms = (e.modrm >= 0 ? 1 : 0) + (e.sib >= 0 ? 1 : 0) + e.displacementBytes;
  return fixed + forms + e.immediates.reduce((sum, i) => sum + i.bytes, 0);
}

/** The instruction's bytes. */
export function assemble(e: Encoding): Uint8Array {
  const bytes: number[] = [...e.prefixes];
  if (e.rex >= 0) bytes.push(e.rex);
  bytes.push(...e.vex, ...e.opcode);
  if (e.modrm >= 0) bytes.push(e.modrm);
  if (e.sib >= 0) bytes.push(e.sib);
  const push = (value: bigint, count: number): void => {
    for (let i = 0; i < count; i++) bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
  };
  push(e.displacement, e.displacementBytes);
  for (const { value, bytes: count } of e.immediates) push(value, count);
  return Uint8Array.from(bytes);
}
