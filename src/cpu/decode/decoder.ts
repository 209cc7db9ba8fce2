/** Bytes → instruction: prefixes, opcode, ModRM, row selection, immediates. Pure. SDM Vol. 2A chapter 2. */
import { fieldKind } from '../isa/row-facts.ts';
import { type DecodeFailure, type DecodeMode, type DecodeResult, type Instruction, segment } from './instruction.ts';
import { type Candidate, immediateForm, type Lookup, lookups, type OpcodeEntry, prefixKey, vexMap } from './lookup.ts';
import { readModrm } from './modrm.ts';
import { DecodeState, maxInstructionLength } from './state.ts';

export const decodeStatus = { ok: 0, undefined: 1, tooLong: 2, truncated: 3 } as const;
export type DecodeStatus = (typeof decodeStatus)[keyof typeof decodeStatus];

const failures: Readonly<Record<Exclude<DecodeStatus, 0>, DecodeFailure>> = {
  [decodeStatus.undefined]: { kind: 'undefined' },
  [decodeStatus.tooLong]: { kind: 'too-long' },
  [decodeStatus.truncated]: { kind: 'truncated' },
};

const rexW = 8;

/** Reads legacy prefixes and REX. A REX that is not the last prefix has no effect. @returns the first opcode byte. */
function readPrefixes(s: DecodeState, code64: boolean): number {
  for (;;) {
    const byte = s.u8();
    switch (byte) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        // In 64-bit mode these four are null prefixes: an FS or GS override before them stays.
        if (!code64) s.segmentOverride = (byte >> 3) & 3;
        break;
      case 0x64:
      case 0x65:
        s.segmentOverride = byte - 0x64 + segment.fs;
        break;
      case 0x66:
        s.operandOverride = true;
        break;
      case 0x67:
        s.addressOverride = true;
        break;
      case 0xf0:
        s.lock = true;
        break;
      case 0xf2:
      case 0xf3:
        s.repeat = byte;
        break;
      default:
        if (!code64 || (byte & 0xf0) !== 0x40) return byte;
        s.rex = byte;
        continue;
    }
    s.rex = 0;
  }
}

/** Reads the rest of a VEX prefix and its opcode. @returns the lookup index, or -1 for #UD (SDM Vol. 2A 2.3). */
function readVex(s: DecodeState, first: number, code64: boolean): number {
  if (s.lock || s.operandOverride || s.repeat !== 0 || s.rex !== 0) return -1;
  const second = s.u8();
  let map = 1;
  let last = second;
  let rex = 0x40 | ((~second >> 5) & 4);
  if (first === 0xc4) {
    map = second & 0x1f;
    last = s.u8();
    rex = 0x40 | ((~second >> 5) & 7) | ((last >> 4) & rexW);
  }
  s.rex = code64 ? rex : 0;
  s.vvvv = (~last >> 3) & (code64 ? 15 : 7);
  s.vexL = (last >> 2) & 1;
  s.vexPrefix = vexPrefixKeys[last & 3] as number;
  const opcode = s.u8();
  return map >= 1 && map <= 3 && s.vexL === 0 ? ((vexMap + map) << 8) | opcode : -1;
}

/** VEX.pp: none, 66, F3, F2. */
const vexPrefixKeys = [prefixKey.none, prefixKey['66'], prefixKey.F3, prefixKey.F2] as const;

/** Reads escape bytes and the opcode, or VEX. @returns the lookup index, or -1 for #UD. */
function readOpcode(s: DecodeState, first: number, mode: DecodeMode): number {
  if (first === 0x0f) {
    const second = s.u8();
    if (second === 0x38) return 0x200 | s.u8();
    if (second === 0x3a) return 0x300 | s.u8();
    return 0x100 | second;
  }
  if (first === 0xc4 || first === 0xc5) {
    const code64 = mode.codeSize === 64;
    // LES and LDS want memory, so outside 64-bit mode a register form of theirs is VEX; real mode has no VEX.
    if (code64 || (!mode.real && (s.peek() & 0xc0) === 0xc0)) return readVex(s, first, code64);
  }
  return first;
}

function selectRow(s: DecodeState, entry: OpcodeEntry, vex: boolean): Candidate | undefined {
  const slot = entry.hasModrm ? (s.registerForm ? 8 : 0) | (s.reg & 7) : 0;
  const candidates = entry.slots[slot] as readonly Candidate[];
  let prefix: number = prefixKey.none;
  if (vex) prefix = s.vexPrefix;
  else if (s.repeat !== 0) prefix = s.repeat === 0xf3 ? prefixKey.F3 : prefixKey.F2;
  else if (s.operandOverride) prefix = prefixKey['66'];
  const key = prefix | ((s.rex & rexW) >> 1) | (s.rm << 3);
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as Candidate;
    if ((key & candidate.mask) === candidate.value) return candidate;
  }
  return undefined;
}

/** SDM Vol. 1 table 3-4 (64-bit) and 3-3. VEX has no operand-size prefix: 32, or 64 with W. */
function operandSizeOf(s: DecodeState, mode: DecodeMode, size64: number, vex: boolean): 16 | 32 | 64 {
  if (mode.codeSize === 64) {
    if ((s.rex & rexW) !== 0 || size64 === 2) return 64;
    if (s.operandOverride) return 16;
    return size64 === 1 ? 64 : 32;
  }
  if (vex) return 32;
  return s.operandOverride === (mode.codeSize === 16) ? 32 : 16;
}

function addressSizeOf(s: DecodeState, mode: DecodeMode): 16 | 32 | 64 {
  if (!s.addressOverride) return mode.codeSize;
  return mode.codeSize === 32 ? 16 : 32;
}

/** Immediate or moffs of the given form. */
function readImmediate(s: DecodeState, form: number): void {
  const { operandSize, addressSize } = s;
  switch (form) {
    case immediateForm.none:
      return;
    case immediateForm.byte:
      s.setImmediate(s.s8());
      return;
    case immediateForm.word:
    case immediateForm.wordByte:
      s.setImmediate(s.s16());
      return;
    case immediateForm.offset:
      // An address is zero-extended.
      s.isOffset = true;
      s.low = addressSize === 16 ? s.u16() : s.s32();
      s.high = addressSize === 64 ? s.s32() : 0;
      return;
    case immediateForm.v:
      s.setImmediate(operandSize === 16 ? s.s16() : s.s32());
      if (operandSize === 64) s.high = s.s32();
      return;
    default:
      s.setImmediate(operandSize === 16 ? s.s16() : s.s32());
  }
}

function failureOf(s: DecodeState): DecodeStatus {
  return s.end - s.start === maxInstructionLength ? decodeStatus.tooLong : decodeStatus.truncated;
}

function lookupFor(mode: DecodeMode): Lookup {
  if (mode.codeSize === 64) return lookups.long;
  return mode.real ? lookups.real : lookups.legacy;
}

/**
 * Decodes the instruction that `s` was begun at; on `ok`, `s` is what it says.
 * `undefined` (#UD) wins as soon as the bytes read prove it, `tooLong` (#GP) when more than 15 bytes would be needed,
 * `truncated` when the limit comes first. CPUID features and privilege are the caller's business.
 */
export function decodeInto(s: DecodeState, mode: DecodeMode): DecodeStatus {
  const code64 = mode.codeSize === 64;
  const first = readPrefixes(s, code64);
  const index = readOpcode(s, first, mode);
  if (s.failed) return failureOf(s);
  const entry = index < 0 ? undefined : lookupFor(mode)[index];
  if (entry === undefined) return decodeStatus.undefined;
  s.addressSize = addressSizeOf(s, mode);
  if (entry.hasModrm) readModrm(s, s.addressSize, code64, entry.modIgnored);
  else s.rm = (index & 7) | ((s.rex & 1) << 3);
  if (s.failed) return failureOf(s);
  const vex = index >= vexMap << 8;
  const candidate = selectRow(s, entry, vex);
  if (candidate === undefined) return decodeStatus.undefined;
  if (((candidate.regMask >> s.reg) & 1) === 0) return decodeStatus.undefined;
  if (vex && candidate.facts.vvvv === fieldKind.none && s.vvvv !== 0) return decodeStatus.undefined;
  const { facts, immediate: form } = candidate;
  s.candidate = candidate;
  s.operandSize = operandSizeOf(s, mode, candidate.size64, facts.vex);
  readImmediate(s, form);
  if (form === immediateForm.farPointer) s.immediate2 = s.u16();
  else if (form === immediateForm.wordByte) s.immediate2 = s.u8();
  if (s.failed) return failureOf(s);
  // Processors find a LOCK that is not allowed when they have the whole instruction.
  if (s.lock && (!facts.lockable || s.registerForm)) return decodeStatus.undefined;
  if (!facts.repeats) s.repeat = 0;
  return decodeStatus.ok;
}

/** The segment of the memory operand: override or default. */
export function segmentOf(s: DecodeState): number {
  return s.segmentOverride >= 0 ? s.segmentOverride : s.stackSegment ? segment.ss : segment.ds;
}

/** The number whose halves these are, sign-extended. */
function bigintOf(low: number, high: number): bigint {
  return high === low >> 31 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function instructionOf(s: DecodeState, { facts }: Candidate): Instruction {
  const value = bigintOf(s.low, s.high);
  return {
    row: facts.row,
    length: s.length,
    operandSize: s.operandSize,
    addressSize: s.addressSize,
    lock: s.lock,
    repeat: s.repeat,
    rex: s.rex !== 0,
    registerForm: s.registerForm,
    reg: s.reg,
    rm: s.rm,
    vvvv: s.vvvv,
    base: s.base,
    index: s.index,
    scale: s.scale,
    displacement: s.isOffset ? BigInt.asUintN(64, value) : BigInt(s.displacement),
    segment: segmentOf(s),
    immediate: s.isOffset ? 0n : value,
    immediate2: s.immediate2,
  };
}

/** Decodes the instruction at `bytes[offset]` as `decodeInto` does; no byte at or beyond `limit` is read. */
export function decode(bytes: Uint8Array, offset: number, limit: number, mode: DecodeMode): DecodeResult {
  const s = new DecodeState(bytes);
  s.begin(bytes, offset, limit);
  const status = decodeInto(s, mode);
  if (status === decodeStatus.ok) return { kind: 'ok', instruction: instructionOf(s, s.candidate as Candidate) };
  return failures[status];
}
