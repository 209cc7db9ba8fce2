/** What the generator needs to know of a table row, worked out once. */
import { type OperandSpec, type OperandWidth, parseOperands } from '../../src/cpu/isa/operand.ts';
import type { Row } from '../../src/cpu/isa/row.ts';
import type { ValueKind } from './values.ts';

export interface Shape {
  readonly row: Row;
  /** Unique within the table: 'ADC Ev,Gv (11)'. */
  readonly id: string;
  readonly operands: readonly OperandSpec[];
  readonly hasModrm: boolean;
  readonly mod: 'mem' | 'reg' | 'ignored' | undefined;
  /** The ModRM operand that may be memory, if any. */
  readonly memory: OperandSpec | undefined;
  /** Operand size matters (66 and REX.W change the instruction). */
  readonly sized: boolean;
  readonly usesXmm: boolean;
  readonly usesX87: boolean;
  readonly kind: ValueKind;
  /** Width of the lanes of packed integers, in bytes. */
  readonly lane: number;
  /** Prefixes (66, F2, F3) that would select another row of the same opcode. */
  readonly takenPrefixes: readonly number[];
  /** Leaves by other ways than falling through to what follows, or might with what it loads. */
  readonly branches: boolean;
  /** Uses the stack pointer implicitly. */
  readonly usesStack: boolean;
}

const escapes = ['', '0F ', '0F 38 ', '0F 3A '] as const;
const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');

/** The encoding in the notation of the SDM, as far as it tells rows apart. */
function encodingText(row: Row): string {
  const prefix = row.prefix === undefined || row.prefix === 'NP' ? '' : `${row.prefix} `;
  const vex = row.vex === true ? 'VEX ' : '';
  const w = row.w === undefined ? '' : ` W${row.w}`;
  const ext = row.ext === undefined ? '' : ` /${row.ext}`;
  const rm = row.rm === undefined ? '' : ` rm${row.rm}`;
  const mod = row.mod === undefined || row.rm !== undefined ? '' : ` ${row.mod}`;
  return `${vex}${prefix}${escapes[row.map]}${hex(row.opcode)}${w}${ext}${rm}${mod}`;
}

export function rowId(row: Row): string {
  const only = row.only === undefined ? '' : ` ${row.only}`;
  return `${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`} (${encodingText(row)}${only})`;
}

function kindOf(row: Row, usesX87: boolean): ValueKind {
  const name = row.mnemonic;
  if (usesX87) return 'f80';
  if (/^(CVTDQ|CVTPI|CVTSI|P|MASKMOVDQU|MOVNTDQ|MOVD)/.test(name)) return 'int';
  if (/^CVTT?P?S?S2|^CVTT?PS2|[PS]S$/.test(name)) return 'f32';
  if (/[PS]D$/.test(name) || /^CVTT?[PS]D2/.test(name) || name === 'MOVDDUP') return 'f64';
  if (/^(MOVSHDUP|MOVSLDUP|MOVHLPS|MOVLHPS)$/.test(name)) return 'f32';
  return 'int';
}

function laneOf(row: Row): number {
  const match = /(B|W|D|Q)$/.exec(row.mnemonic)?.[1];
  return match === 'B' ? 1 : match === 'W' ? 2 : match === 'D' ? 4 : 8;
}

const implied = (operands: readonly OperandSpec[]): 'mem' | 'reg' | undefined => {
  for (const { source } of operands) {
    if (source === 'M') return 'mem';
    if ('RUNT'.includes(source)) return 'reg';
  }
  return undefined;
};

const sizedWidths: readonly OperandWidth[] = ['v', 'z', 'y', 'p', 'a'];
const branching = /^(j|call|ret|iret|loop|int|popf|sys|hlt|ud)/;
const stacking = /^(push|pop|call|ret|iret|enter|leave)/;

export function shapeOf(row: Row, table: readonly Row[]): Shape {
  const operands = parseOperands(row.operands);
  const mod = row.mod ?? implied(operands);
  const has = (sources: string): boolean => operands.some((o) => o.source !== 'fixed' && sources.includes(o.source));
  const usesX87 = row.map === 0 && row.opcode >= 0xd8 && row.opcode <= 0xdf;
  const siblings = table.filter(
    (other) =>
      other !== row &&
      other.map === row.map &&
      other.opcode === row.opcode &&
      (other.vex ?? false) === (row.vex ?? false),
  );
  const taken = siblings.flatMap((other) =>
    other.prefix === undefined || other.prefix === 'NP' ? [] : [Number.parseInt(other.prefix, 16)],
  );
  return {
    row,
    id: rowId(row),
    operands,
    hasModrm: row.ext !== undefined || mod !== undefined || has('EGMRSCDVWUPQNT'),
    mod,
    memory: mod === 'reg' || mod === 'ignored' ? undefined : operands.find((o) => 'EMWQ'.includes(o.source)),
    sized: operands.some((o) => sizedWidths.includes(o.width)) || row.operands === '',
    usesXmm: has('VWU') || operands.some((o) => o.name === 'XMM0') || /^(fx|xr|xs)|mxcsr/.test(row.semantics),
    usesX87: usesX87 || has('PQN') || row.semantics === 'emms' || /^(fx|xr|xs)/.test(row.semantics),
    kind: kindOf(row, usesX87),
    lane: laneOf(row),
    takenPrefixes: taken,
    branches: row.endsBlock === true || branching.test(row.semantics),
    usesStack: stacking.test(row.semantics),
  };
}

/** Bytes of an operand of this width. */
export function widthBytes(width: OperandWidth, operandSize: number, addressSize: number): number {
  switch (width) {
    case 'b':
    case 'bs':
      return 1;
    case 'w':
      return 2;
    case 'd':
      return 4;
    case 'q':
      return 8;
    case 'dq':
      return 16;
    case 't':
      return 10;
    case 'v':
      return operandSize / 8;
    case 'z':
      return Math.min(operandSize, 32) / 8;
    case 'y':
      return operandSize === 64 ? 8 : 4;
    case 'p':
      return operandSize / 8 + 2;
    case 's':
      return addressSize === 64 ? 10 : 6;
    case 'a':
      return operandSize / 4;
    case 'n':
      return 16;
  }
}
