/** What the semantics of one handler are specialised for: a table row in one of its forms. */
import type { Row } from '../isa/row.ts';
import type { Bits } from './emitter.ts';

/** Register file or place of an operand. */
export type OperandKind = 'register' | 'memory' | 'immediate' | 'xmm' | 'mmx' | 'segment' | 'control' | 'debug' | 'x87';

/** Which decoded field tells the operand; `fixed`: none, `address` says it. */
export type OperandField = 'reg' | 'rm' | 'vvvv' | 'memory' | 'immediate' | 'fixed';

export interface Operand {
  readonly kind: OperandKind;
  readonly field: OperandField;
  /** 8, 16, 32, 64, 80 or 128; 0 where only the address counts (LEA). */
  readonly bits: number;
  /** State address of a fixed register; value of a fixed immediate. */
  readonly address?: number;
  /** Sign-extended immediates and all others: the immediate is already of the operand's width. */
  readonly byteOffset?: number;
}

export interface Form {
  readonly row: Row;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** 0 none, 0xf3 REP/REPE, 0xf2 REPNE. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly operands: readonly Operand[];
  /** Emitted for 64-bit code; otherwise for every other mode. */
  readonly long: boolean;
  /** Reading and writing its memory operand is one step for every other processor. */
  readonly locked: boolean;
}

/** Integer width of an operand, checked. */
export function bitsOf(operand: Operand): Bits {
  const bits = operand.bits;
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) throw new Error(`operand of ${bits} bits as an integer`);
  return bits;
}
