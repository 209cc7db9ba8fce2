/** Operand notation of SDM Vol. 2 appendix A.2, as the table's `operands` column uses it, parsed. */

/**
 * Where an operand comes from.
 * E modrm.rm register or memory, G modrm.reg register, M memory only, R modrm.rm register only, Z register in the low
 * three opcode bits, B VEX.vvvv register, I immediate, J relative branch, O moffs, A far pointer in the instruction,
 * S segment register (modrm.reg), C control register, D debug register, V xmm (modrm.reg), W xmm or memory, U xmm
 * (modrm.rm only), P mmx (modrm.reg), Q mmx or memory, N mmx (modrm.rm only), X memory at DS:rSI, Y memory at ES:rDI,
 * T x87 stack register ST(i) in modrm.rm, fixed a named register or constant.
 */
// biome-ignore format: in the order of the comment above.
export type OperandSource =
  | 'E' | 'G' | 'M' | 'R' | 'Z' | 'B' | 'I' | 'J' | 'O' | 'A' | 'S' | 'C' | 'D'
  | 'V' | 'W' | 'U' | 'P' | 'Q' | 'N' | 'X' | 'Y' | 'T' | 'fixed';

/**
 * Width. b 8, w 16, d 32, q 64, dq 128, v operand size (16/32/64), z operand size but at most 32, y 32 or 64 (64 with
 * REX.W), t 80 (x87 extended), p far pointer of operand size, s pseudo-descriptor (6 or 10 bytes), a BOUND pair,
 * n none (LEA, INVLPG, PREFETCH, FXSAVE …: the address alone counts). `bs` is a sign-extended byte immediate.
 * 'ss' 32, 'sd' 64, 'ps'/'pd'/'x' 128 are written as d, q, dq in the table.
 */
export type OperandWidth = 'b' | 'bs' | 'w' | 'd' | 'q' | 'dq' | 'v' | 'z' | 'y' | 't' | 'p' | 's' | 'a' | 'n';

export interface OperandSpec {
  readonly source: OperandSource;
  readonly width: OperandWidth;
  /** For `fixed`: 'AL', 'CL', 'rAX' (operand size), 'eAX' (operand size, at most 32), 'DX', '1', '3', 'ES'…'GS', 'XMM0', 'ST0'. */
  readonly name?: string;
}

const pattern = /^([EGMRZBIJOASCDVWUPQNXY])(bs|b|w|dq|d|q|v|z|y|t|p|s|a|n)$/;

// biome-ignore format: a table.
const fixedWidths: Readonly<Record<string, OperandWidth>> = {
  AL: 'b', CL: 'b', AH: 'b', AX: 'w', DX: 'w', EAX: 'd', rAX: 'v', eAX: 'z', rDX: 'v', '1': 'b', '3': 'b',
  ES: 'w', CS: 'w', SS: 'w', DS: 'w', FS: 'w', GS: 'w', XMM0: 'dq', ST0: 't',
};

/** Parses one operand such as 'Ev', 'Ib', 'AL', 'ST'. 'Ti' is ST(i). @throws on notation that this page lacks. */
function parseOperand(text: string): OperandSpec {
  if (text === 'Ti') return { source: 'T', width: 't' };
  const match = pattern.exec(text);
  if (match !== null) return { source: match[1] as OperandSource, width: match[2] as OperandWidth };
  const width = fixedWidths[text];
  if (width === undefined) throw new Error(`unknown operand notation '${text}'`);
  return { source: 'fixed', width, name: text };
}

/** Parses a row's operands column. */
export function parseOperands(column: string): readonly OperandSpec[] {
  return column === '' ? [] : column.split(',').map(parseOperand);
}
