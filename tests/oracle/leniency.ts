/** What a result need not agree on: what the SDM leaves undefined, random, or to the implementation's precision. */
import { decode } from '../../src/cpu/decode/decoder.ts';
import type { Instruction } from '../../src/cpu/decode/instruction.ts';
import type { Case, StateView } from './case.ts';
import { noFault } from './layout.ts';
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
  /** One bit per general register of which only the low 32 bits count. */
  readonly low: number;
  /** Which byte of several accesses a #PF names. */
  readonly faultAddress: boolean;
  /** The x87 registers and their state. */
  readonly x87: boolean;
}

const flagBits: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 0x04, C: 0x01 };
const allFlags = 0x8d5;
const c1 = 0x200;

export function flagMask(letters: string): number {
  let mask = 0;
  for (const letter of letters) mask |= flagBits[letter] ?? 0;
  return mask;
}

const strict: Leniency = {
  flags: 0,
  gprs: 0,
  fsw: 0,
  stUlps: 0,
  approximateLanes: 0,
  memory: false,
  low: 0,
  faultAddress: false,
  x87: false,
};

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

/** Instructions that access memory several times, in an order that the SDM leaves open. */
const manyAccesses = /^(popa|ret-far|iret|call-far|fxsave|fxrstor|xsave|xsaveopt|xrstor|fnsave|frstor|fnstenv|fldenv)$/;
const allButRsp = 0xff & ~(1 << 4);
const stringRegisters = (1 << 1) | (1 << 6) | (1 << 7);

/** What a faulting instruction may have changed all the same. */
function faultLeniency(shape: Shape): Partial<Leniency> {
  const { semantics } = shape.row;
  const isMmx = shape.operands.some((o) => o.source !== 'fixed' && 'PQN'.includes(o.source));
  return {
    faultAddress: manyAccesses.test(semantics),
    // Below the stack pointer a call that fails may have written.
    memory: semantics.startsWith('call'),
    gprs: semantics === 'popa' ? allButRsp : 0,
    // With 32-bit addresses the first look at the registers may clear their upper halves.
    low: shape.row.rep === undefined ? 0 : stringRegisters,
    // MMX instructions may turn the x87 state into MMX's before they fault.
    x87: isMmx,
  };
}

/** `expected` is the state that the CPU left. */
export function leniencyOf(shape: Shape, c: Case, expected: StateView): Leniency {
  const normal = completedLeniency(shape, c);
  return expected.vector === noFault ? normal : { ...normal, ...faultLeniency(shape) };
}

function completedLeniency(shape: Shape, c: Case): Leniency {
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
