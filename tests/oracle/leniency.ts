/** What a result need not agree on: what the SDM leaves undefined, random, or to the implementation's precision. */
import { decode } from '../../src/cpu/decode/decoder.ts';
import type { Instruction } from '../../src/cpu/decode/instruction.ts';
import type { Case } from './case.ts';
import type { Shape } from './shape.ts';

export interface Leniency {
  /** Bits of RFLAGS that do not count. */
  readonly flags: number;
  /** One bit per general register that does not count. */
  readonly gprs: number;
  /** Bits of the x87 status word that do not count. */
  readonly fsw: number;
  /** Units in the last place that an x87 register may be off. */
  readonly stUlps: number;
  /** Width in bits of XMM lanes that hold approximations (RCPPS, RSQRTPS), or 0. */
  readonly approximateLanes: 0 | 32;
  readonly memory: boolean;
}

const flagBits: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 0x04, C: 0x01 };
const allFlags = 0x8d5;
const c1 = 0x200;

export function flagMask(letters: string): number {
  let mask = 0;
  for (const letter of letters) mask |= flagBits[letter] ?? 0;
  return mask;
}

const strict: Leniency = { flags: 0, gprs: 0, fsw: 0, stUlps: 0, approximateLanes: 0, memory: false };

const [rax, rcx, rdx, rbx] = [1, 2, 4, 8];
/** Registers that receive what only this host or this moment knows. */
const hostValues: Readonly<Record<string, number>> = {
  cpuid: rax | rcx | rdx | rbx,
  rdtsc: rax | rdx,
  rdtscp: rax | rcx | rdx,
  xgetbv: rax | rdx,
};
const shifts = /^(shl|shr|sar|rol|ror|rcl|rcr|shld|shrd)$/;
const transcendental = /^(f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;
const approximate = /^(rcp|rsqrt)[ps]s$/;

/** The count of a shift as the CPU masks it, and the width of what it shifts. */
function shiftOf(shape: Shape, instruction: Instruction, c: Case): { count: number; width: number } {
  const last = shape.operands.at(-1);
  const width = shape.operands[0]?.width === 'b' ? 8 : instruction.operandSize;
  const raw =
    last?.name === '1' ? 1 : last?.source === 'I' ? Number(instruction.immediate) : Number(c.state.gpr(1) & 0xffn);
  return { count: raw & (width === 64 ? 63 : 31), width };
}

/** Shifts: nothing is undefined for a count of 0, OF is defined for 1; CF and SHLD/SHRD are not beyond the width. */
function shiftLeniency(shape: Shape, instruction: Instruction, c: Case): Leniency {
  const { count, width } = shiftOf(shape, instruction, c);
  if (count === 0) return strict;
  let flags = flagMask(shape.row.undefinedFlags ?? '');
  if (count === 1) flags &= ~flagMask('O');
  const isDouble = shape.row.semantics === 'shld' || shape.row.semantics === 'shrd';
  if (isDouble && count > width) {
    return { ...strict, flags: allFlags, gprs: instruction.registerForm ? 1 << instruction.rm : 0, memory: true };
  }
  if (count >= width && /^sh[lr]$/.test(shape.row.semantics)) flags |= flagMask('C');
  return { ...strict, flags };
}

export function leniencyOf(shape: Shape, c: Case): Leniency {
  const { semantics, undefinedFlags } = shape.row;
  const flags = flagMask(undefinedFlags ?? '');
  if (transcendental.test(semantics)) return { ...strict, flags, fsw: c1, stUlps: 1 };
  if (approximate.test(semantics)) return { ...strict, flags, approximateLanes: 32 };
  const host = hostValues[semantics];
  if (host !== undefined) return { ...strict, flags, gprs: host };
  const needsInstruction = shifts.test(semantics) || semantics === 'rdrand' || semantics === 'rdseed';
  if (!needsInstruction) return { ...strict, flags };
  const decoded = decode(c.code, 0, c.code.length, { codeSize: c.mode, real: false });
  if (decoded.kind !== 'ok') return { ...strict, flags };
  if (shifts.test(semantics)) return shiftLeniency(shape, decoded.instruction, c);
  return { ...strict, flags, gprs: 1 << decoded.instruction.rm };
}
