/** Flat lookup arrays over the instruction table, built once, so that decoding is array indexing and mask compares. */
import type { OperandSpec } from '../isa/operand.ts';
import type { TableRow } from '../isa/row.ts';
import { type RowFacts, rowFacts } from '../isa/row-facts.ts';
import { instructionTable } from '../isa/table.ts';

/** What follows ModRM in the instruction's bytes. */
export const immediateForm = {
  none: 0,
  byte: 1,
  word: 2,
  /** 16 or 32 bits by operand size. */
  z: 3,
  /** 16, 32 or 64 bits by operand size. */
  v: 4,
  /** moffs: as wide as an address. */
  offset: 5,
  /** Offset of operand size, then a 16-bit selector. */
  farPointer: 6,
  /** ENTER: 16 bits, then 8. */
  wordByte: 7,
} as const;
export type ImmediateForm = (typeof immediateForm)[keyof typeof immediateForm];

/** Effective mandatory prefix; F2 and F3 win over 66. */
export const prefixKey = { none: 0, '66': 1, F3: 2, F2: 3 } as const;

/**
 * A row that may match in a slot. It does when `(key & mask) === value`; the key is
 * prefix in bits 1:0, W in bit 2, rm (or register with REX.B) in bits 6:3.
 */
export interface Candidate {
  readonly facts: RowFacts;
  readonly mask: number;
  readonly value: number;
  readonly immediate: ImmediateForm;
  /** 0 operand size as usual, 1 default 64, 2 forced 64 (in 64-bit mode). */
  readonly size64: 0 | 1 | 2;
  /** Bit n: ModRM.reg (with REX.R) may be n. Control and debug registers have gaps, and the gaps are #UD at any CPL. */
  readonly regMask: number;
}

/** An opcode: with ModRM, candidates by `mod == 3 ? 8 + reg : reg`; without, all in slot 0. */
export interface OpcodeEntry {
  readonly hasModrm: boolean;
  readonly modIgnored: boolean;
  readonly slots: readonly (readonly Candidate[])[];
}

/** Indexed by `map << 8 | opcode`, VEX maps from `vexMap << 8`. */
export type Lookup = readonly (OpcodeEntry | undefined)[];
export const vexMap = 4;
const mapCount = 8;

export interface Lookups {
  readonly long: Lookup;
  readonly legacy: Lookup;
  readonly real: Lookup;
}

const modrmSources = 'EGMRSCDVWUPQNT';

function immediateOf(operands: readonly OperandSpec[]): ImmediateForm {
  const immediates = operands.filter(({ source }) => 'IJOA'.includes(source));
  const [first, second] = immediates;
  if (first === undefined) return immediateForm.none;
  if (second !== undefined) return immediateForm.wordByte;
  if (first.source === 'O') return immediateForm.offset;
  if (first.source === 'A') return immediateForm.farPointer;
  switch (first.width) {
    case 'b':
    case 'bs':
      return immediateForm.byte;
    case 'w':
      return immediateForm.word;
    case 'v':
      return immediateForm.v;
    default:
      return immediateForm.z;
  }
}

/** Whether the encoding has a ModRM byte. */
const hasModrm = (row: TableRow): boolean => row.ext !== undefined || row.mod !== undefined || operandForm(row).modrm;

const anyReg = 0xffff;
/** CR0, CR2, CR3, CR4, CR8 (SDM Vol. 3A 2.5). */
const controlRegisters = 0b1_0001_1101;
/** DR0-DR7 (SDM Vol. 3B 19.2); what DR4 and DR5 do depends on CR4.DE. */
const debugRegisters = 0xff;

function regMaskOf(operands: readonly OperandSpec[]): number {
  if (operands.some(({ source }) => source === 'C')) return controlRegisters;
  return operands.some(({ source }) => source === 'D') ? debugRegisters : anyReg;
}

/** What the decoder asks of operands, which many rows share. */
interface OperandForm {
  readonly modrm: boolean;
  readonly immediate: ImmediateForm;
  readonly regMask: number;
  /** How many opcodes the row covers. */
  readonly span: number;
}

function formOf(operands: readonly OperandSpec[]): OperandForm {
  return {
    modrm: operands.some(({ source }) => modrmSources.includes(source)),
    immediate: immediateOf(operands),
    regMask: regMaskOf(operands),
    span: operands.some(({ source }) => source === 'Z') ? 8 : 1,
  };
}

const operandForms: ReadonlyMap<readonly OperandSpec[], OperandForm> = new Map(
  [...new Set(instructionTable.map(({ operandSpecs }) => operandSpecs))].map((specs) => [specs, formOf(specs)]),
);

const operandForm = ({ operandSpecs }: TableRow): OperandForm => operandForms.get(operandSpecs) as OperandForm;

function candidateOf(row: TableRow): Candidate {
  let mask = 0;
  let value = 0;
  if (row.prefix !== undefined) {
    mask |= 3;
    value |= row.prefix === 'NP' ? prefixKey.none : prefixKey[row.prefix];
  }
  if (row.w !== undefined) {
    mask |= 4;
    value |= row.w << 2;
  }
  if (row.rm !== undefined) {
    mask |= hasModrm(row) ? 0x38 : 0x78;
    value |= row.rm << 3;
  }
  const size64 = row.size64 === undefined ? 0 : row.size64 === 'default' ? 1 : 2;
  const { immediate, regMask } = operandForm(row);
  const facts = rowFacts[row.id] as RowFacts;
  return { facts, mask, value, immediate, size64, regMask };
}

/** By the row's number: what all slots and lookups share. */
const candidates: readonly Candidate[] = instructionTable.map(candidateOf);

/** Candidates are tried most specific first; a prefix says more than W or rm (F3 90 is PAUSE whatever REX.B says). */
function specificity(mask: number): number {
  return ((mask & 3) << 8) | mask;
}

type Slot = readonly Candidate[];

function slotOf(rows: readonly TableRow[]): Slot {
  const slot = rows.map((row) => candidates[row.id] as Candidate);
  return slot.length > 1 ? slot.sort((a, b) => specificity(b.mask) - specificity(a.mask)) : slot;
}

const inMemory = ({ mod }: TableRow): boolean => mod === undefined || mod === 'mem';
const inRegister = ({ mod }: TableRow): boolean => mod !== 'mem';

/** For each value of ModRM.reg, whose slots are one where no row asks for it. */
function slotsByReg(rows: readonly TableRow[]): Slot[] {
  if (rows.every(({ ext }) => ext === undefined)) return new Array<Slot>(8).fill(slotOf(rows));
  return Array.from({ length: 8 }, (_, reg) => slotOf(rows.filter(({ ext }) => ext === undefined || ext === reg)));
}

function entryOf(rows: readonly TableRow[]): OpcodeEntry {
  const first = rows[0] as TableRow;
  if (rows.some((row) => hasModrm(row) !== hasModrm(first)))
    throw new Error(`${first.mnemonic}: rows of one opcode differ in having ModRM`);
  const slots = hasModrm(first)
    ? [...slotsByReg(rows.filter(inMemory)), ...slotsByReg(rows.filter(inRegister))]
    : [slotOf(rows)];
  return { hasModrm: hasModrm(first), modIgnored: first.mod === 'ignored', slots };
}

/** @param entries by the numbers of their rows: lookups of several modes differ in few */
function buildLookup(entries: Map<string, OpcodeEntry>, exists: (row: TableRow) => boolean): Lookup {
  const buckets: (TableRow[] | undefined)[] = new Array(mapCount << 8).fill(undefined);
  for (const row of instructionTable) {
    if (!exists(row)) continue;
    const { span } = operandForm(row);
    const first = ((row.map + (row.vex === true ? vexMap : 0)) << 8) | row.opcode;
    for (let at = first; at < first + span; at++) {
      const rows = buckets[at];
      if (rows === undefined) buckets[at] = [row];
      else rows.push(row);
    }
  }
  return buckets.map((rows) => {
    if (rows === undefined) return undefined;
    const numbers = rows.map(({ id }) => id).join();
    const entry = entries.get(numbers) ?? entryOf(rows);
    entries.set(numbers, entry);
    return entry;
  });
}

function buildLookups(): Lookups {
  const entries = new Map<string, OpcodeEntry>();
  return {
    long: buildLookup(entries, (row) => row.only !== 'not64'),
    legacy: buildLookup(entries, (row) => row.only !== 'only64'),
    real: buildLookup(entries, (row) => row.only !== 'only64' && row.protectedOnly !== true && row.vex !== true),
  };
}

export const lookups: Lookups = buildLookups();
