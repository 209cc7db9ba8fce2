/**
 * The shape of the instruction table: one row per encoding, columns as in SDM Vol. 2 appendix A.
 * Decoder, disassembler, interpreter dispatch, translator and tests all read these rows.
 */
import type { OperandSpec } from './operand.ts';

/** 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A. */
export type OpcodeMap = 0 | 1 | 2 | 3;

/** `NP`: none of 66, F2, F3 may act as mandatory prefix; absent: no prefix selects this row (66 is operand size). */
export type MandatoryPrefix = 'NP' | '66' | 'F3' | 'F2';

/** A status flag by its letter: overflow, sign, zero, auxiliary carry, parity, carry. */
export type FlagLetters = string;

export interface Row {
  readonly map: OpcodeMap;
  /** First (or only) opcode byte after the map's escape bytes. Rows whose operand is `Z…` cover opcode…opcode+7. */
  readonly opcode: number;
  readonly prefix?: MandatoryPrefix;
  /** VEX-encoded (only general-register rows exist: BMI1, BMI2). `L` must be 0. */
  readonly vex?: true;
  /** Required REX.W or VEX.W. */
  readonly w?: 0 | 1;
  /** ModRM.reg when it extends the opcode (`/digit`). */
  readonly ext?: number;
  /** The form of ModRM this row takes; absent: both. `ignored`: rm is a register whatever mod says (MOV CR, MOV DR). */
  readonly mod?: 'mem' | 'reg' | 'ignored';
  /**
   * Exact ModRM.rm (with mod = reg), for rows such as 0F 01 C1. Without ModRM: the register (with REX.B) that the low
   * three opcode bits must name, for 90, which is NOP only where it would be XCHG rAX,rAX.
   */
  readonly rm?: number;
  /** Upper-case, as in the SDM: 'ADC', 'CMOVNE', 'MOVSB'. With slashes, one per operand size: 'CBW/CWDE/CDQE'. */
  readonly mnemonic: string;
  /** Operands in SDM appendix A notation, comma-separated: 'Ev,Gv'; '' for none. See `operand.ts`. */
  readonly operands: string;
  /** Name of the function in `cpu/semantics` that gives the row its meaning. */
  readonly semantics: string;
  /** Condition code (SDM Vol. 2D table B-10) of Jcc, SETcc, CMOVcc and FCMOVcc. */
  readonly condition?: number;
  /** Modes in which the encoding exists; elsewhere it is #UD. Absent: all. */
  readonly only?: 'not64' | 'only64';
  /** Not in real or virtual-8086 mode (#UD there): LLDT, ARPL, SYSENTER … where the SDM says so. */
  readonly protectedOnly?: true;
  /** In 64-bit mode the operand size is 64 without REX.W: `default` (66 still gives 16) or `forced`. */
  readonly size64?: 'default' | 'forced';
  /** LOCK is legal with a memory destination; everywhere else it is #UD. */
  readonly lock?: true;
  /** REP prefixes repeat it: `rep` (F2 and F3 alike), or `repe` (F3 repeats while ZF, F2 while not ZF). */
  readonly rep?: 'rep' | 'repe';
  /** Control does not simply fall through to the next record: jumps, mode changes, anything that must end a block. */
  readonly endsBlock?: true;
  /** Needs CPL 0 (#GP(0) otherwise). */
  readonly privileged?: true;
  /** A 16-byte memory operand that need not be aligned; every other `dq` memory operand raises #GP(0) when it is not. */
  readonly unaligned?: true;
  /** CPUID feature without which the encoding is #UD, named as in `spec/x86/cpuid.ts`. */
  readonly feature?: string;
  /** Semantics without `feature`, where older processors ignore the prefix; absent: #UD. */
  readonly withoutFeature?: string;
  /**
   * Status flags left undefined by the SDM (tests ignore them). Shifts by a count other than the constant 1 list OF,
   * which is defined for a count of 1; CF of SHL and SHR, undefined for a count above the operand's width, is not listed.
   */
  readonly undefinedFlags?: FlagLetters;
}

/** A row as the table holds it: numbered, operands parsed, `mod` filled in where the operands imply it. */
export interface TableRow extends Row {
  /** Index into `instructionTable`. */
  readonly id: number;
  readonly operandSpecs: readonly OperandSpec[];
}
