/** What running an instruction asks of its row again and again, worked out once: numbers and booleans of one shape. */
import type { OperandSpec } from './operand.ts';
import type { TableRow } from './row.ts';
import { instructionTable } from './table.ts';

/** What a register field of the encoding counts. */
export const fieldKind = {
  general: 0,
  /** Byte registers: without REX, 4–7 are AH, CH, DH, BH. */
  byte: 1,
  vector: 2,
  mmx: 3,
  segment: 4,
  /** Control and debug registers, ST(i): the number itself. */
  number: 5,
  none: 6,
} as const;
export type FieldKind = (typeof fieldKind)[keyof typeof fieldKind];

export interface RowFacts {
  readonly row: TableRow;
  /** The row's: rows have many shapes. */
  readonly id: number;
  /** Of modrm.reg, of modrm.rm in its register form (or the register in the opcode), and of VEX.vvvv. */
  readonly reg: FieldKind;
  readonly rm: FieldKind;
  readonly vvvv: FieldKind;
  /** Jumps by a distance. */
  readonly relative: boolean;
  /** ENTER and far pointers. */
  readonly secondImmediate: boolean;
  readonly lockable: boolean;
  /** Locks the bus without being told to. SDM Vol. 3A 9.1.2. */
  readonly alwaysLocks: boolean;
  readonly repeats: boolean;
  readonly vex: boolean;
  readonly endsBlock: boolean;
  /** Names a segment register, as the destination or otherwise. */
  readonly segment: 'none' | 'source' | 'destination';
}

function kindOf({ source, width }: OperandSpec): FieldKind {
  if ('EGRZB'.includes(source)) return width === 'b' ? fieldKind.byte : fieldKind.general;
  if ('VWU'.includes(source)) return fieldKind.vector;
  if ('PQN'.includes(source)) return fieldKind.mmx;
  return source === 'S' ? fieldKind.segment : fieldKind.number;
}

/** What follows from the operands alone. */
type OperandFacts = Pick<RowFacts, 'reg' | 'rm' | 'vvvv' | 'relative' | 'secondImmediate' | 'segment'>;

function operandFacts(specs: readonly OperandSpec[]): OperandFacts {
  const kindAmong = (sources: string, none: FieldKind): FieldKind => {
    const spec = specs.findLast(({ source }) => source !== 'fixed' && sources.includes(source));
    return spec === undefined ? none : kindOf(spec);
  };
  const segmentAt = specs.findIndex(({ source }) => source === 'S');
  return {
    reg: kindAmong('GVPSCD', fieldKind.general),
    rm: kindAmong('ERZWUQNT', fieldKind.general),
    vvvv: kindAmong('B', fieldKind.none),
    relative: specs.some(({ source }) => source === 'J'),
    secondImmediate: specs.some(
      ({ source }, position) => source === 'A' || (source === 'I' && specs[position + 1]?.source === 'I'),
    ),
    segment: segmentAt < 0 ? 'none' : segmentAt === 0 ? 'destination' : 'source',
  };
}

function factsOf(rows: readonly TableRow[]): RowFacts[] {
  const known = new Map<readonly OperandSpec[], OperandFacts>();
  return rows.map((row) => {
    const specs = row.operandSpecs;
    const facts = known.get(specs) ?? operandFacts(specs);
    known.set(specs, facts);
    return {
      row,
      id: row.id,
      reg: facts.reg,
      rm: facts.rm,
      vvvv: facts.vvvv,
      relative: facts.relative,
      secondImmediate: facts.secondImmediate,
      lockable: row.lock === true,
      alwaysLocks: row.semantics === 'xchg',
      repeats: row.rep !== undefined,
      vex: row.vex === true,
      endsBlock: row.endsBlock === true,
      segment: facts.segment,
    };
  });
}

/** By the row's number. */
export const rowFacts: readonly RowFacts[] = factsOf(instructionTable);
