/** A decoded instruction: the result of `decode`, plain data, independent of the linear address it was read from. */
import type { TableRow } from '../isa/row.ts';

export type CodeSize = 16 | 32 | 64;

/** What of the CPU's mode decoding depends on. */
export interface DecodeMode {
  /** Default size from CS.L and CS.D. */
  readonly codeSize: CodeSize;
  /** Real or virtual-8086 mode: rows marked `protectedOnly` are #UD. */
  readonly real: boolean;
}

/** Segment register numbers, as encoded in `Sreg` fields. */
export const segment = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;

/** Register numbers 0–15 in `base` and `index`, or one of these. */
export const noRegister = -1;
export const ripBase = 16;

export interface Instruction {
  readonly row: TableRow;
  /** Bytes, 1–15. */
  readonly length: number;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  readonly lock: boolean;
  /** 0 none, 0xf3 REP/REPE, 0xf2 REPNE; only for rows with a `rep` column. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  /** Any REX prefix present: byte registers 4–7 are SPL…DIL instead of AH…BH. */
  readonly rex: boolean;
  /** ModRM.mod == 3, i.e. `rm` is a register. False with no ModRM and a memory operand (moffs, strings). */
  readonly registerForm: boolean;
  /** ModRM.reg with REX.R, 0 if there is no ModRM. (Segment, MMX and x87 users take the low three bits.) */
  readonly reg: number;
  /** ModRM.rm with REX.B when `registerForm`, or the `Z` register from the opcode. */
  readonly rm: number;
  /** VEX.vvvv register. */
  readonly vvvv: number;
  /** Memory operand: base register, `ripBase` or `noRegister`. */
  readonly base: number;
  readonly index: number;
  /** log2 of the index scale. */
  readonly scale: 0 | 1 | 2 | 3;
  /** Sign-extended displacement; the absolute address for moffs. */
  readonly displacement: bigint;
  /** Segment of the memory operand: override or default (SS for rSP/rBP bases). In 64-bit mode only FS and GS override. */
  readonly segment: number;
  /** Sign-extended immediate (also the relative branch distance and, for `Ap`, the offset); zero-extended for none. */
  readonly immediate: bigint;
  /** Second immediate: ENTER's level, the far pointer's selector. */
  readonly immediate2: number;
}

/** Why no instruction came out. `truncated`: the bytes ended (a page boundary, perhaps); more are needed. */
export type DecodeFailure =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'too-long' }
  | { readonly kind: 'truncated' };

export type DecodeResult = { readonly kind: 'ok'; readonly instruction: Instruction } | DecodeFailure;
