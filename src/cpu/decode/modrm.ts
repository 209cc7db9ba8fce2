/** ModRM, SIB and displacement (SDM Vol. 2A 2.1.5, tables 2-1 to 2-3; 2.2.1 for REX and RIP-relative). */
import { noRegister, ripBase } from './instruction.ts';
import type { DecodeState } from './state.ts';

const bx = 3;
const sp = 4;
const bp = 5;
const si = 6;
const di = 7;
const bases16 = [bx, bx, bp, bp, si, di, bp, bx] as const;
const indexes16 = [si, di, si, di, noRegister, noRegister, noRegister, noRegister] as const;

function readMemory16(s: DecodeState, mod: number, rm: number): void {
  if (mod === 0 && rm === 6) {
    s.displacement = s.s16();
    return;
  }
  s.base = bases16[rm] as number;
  s.index = indexes16[rm] as number;
  s.stackSegment = s.base === bp;
  if (mod === 1) s.displacement = s.s8();
  else if (mod === 2) s.displacement = s.s16();
}

/** @returns whether a 32-bit displacement follows although mod is 0. */
function readSib(s: DecodeState, mod: number): boolean {
  const sib = s.u8();
  s.scale = (sib >> 6) as 0 | 1 | 2 | 3;
  const index = ((sib >> 3) & 7) | ((s.rex & 2) << 2);
  if (index !== sp) s.index = index;
  const base = sib & 7;
  if (base === bp && mod === 0) return true;
  s.base = base | ((s.rex & 1) << 3);
  return false;
}

function readMemory(s: DecodeState, mod: number, rm: number, code64: boolean): void {
  let displacement32 = mod === 2;
  if (rm === 4) {
    if (readSib(s, mod)) displacement32 = true;
  } else if (rm === 5 && mod === 0) {
    displacement32 = true;
    if (code64) s.base = ripBase;
  } else {
    s.base = rm | ((s.rex & 1) << 3);
  }
  s.stackSegment = s.base === sp || s.base === bp;
  if (displacement32) s.displacement = s.s32();
  else if (mod === 1) s.displacement = s.s8();
}

/** Reads ModRM and what it announces. With `modIgnored`, rm is a register and nothing follows. */
export function readModrm(s: DecodeState, addressSize: number, code64: boolean, modIgnored: boolean): void {
  const modrm = s.u8();
  const mod = modrm >> 6;
  const rm = modrm & 7;
  s.reg = ((modrm >> 3) & 7) | ((s.rex & 4) << 1);
  if (mod === 3 || modIgnored) {
    s.registerForm = true;
    s.rm = rm | ((s.rex & 1) << 3);
  } else if (addressSize === 16) {
    readMemory16(s, mod, rm);
  } else {
    readMemory(s, mod, rm, code64);
  }
}
