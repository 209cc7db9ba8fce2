/** The rows of the instruction table that the oracle can judge, by name. */
import type { Row } from '../../src/cpu/isa/row.ts';
import { instructionTable } from '../../src/cpu/isa/table.ts';
import { rowId } from './shape.ts';

/** By `semantics`: what user code may execute, but not to see what the instruction does. */
const excluded: Readonly<Record<string, string>> = {
  syscall: 'calls the host kernel',
  sysenter: 'calls the host kernel',
  sgdt: 'UMIP: the host kernel answers in place of the CPU',
  sidt: 'UMIP: the host kernel answers in place of the CPU',
  sldt: 'UMIP: the host kernel answers in place of the CPU',
  str: 'UMIP: the host kernel answers in place of the CPU',
  smsw: 'UMIP: the host kernel answers in place of the CPU',
  serialize: 'few processors have it, and it changes nothing that a program sees; a guest of tests/guests judges it',
};

export interface NamedRow {
  readonly id: string;
  readonly row: Row;
}

/** Every row that can be judged, in the table's order. */
export const rows: readonly NamedRow[] = instructionTable
  .filter((row) => excluded[row.semantics] === undefined)
  .map((row) => ({ id: rowId(row), row }));

/** Rows left out, with the reason. */
export const excludedRows: readonly { id: string; reason: string }[] = instructionTable.flatMap((row) => {
  const reason = excluded[row.semantics];
  return reason === undefined ? [] : [{ id: rowId(row), reason }];
});

/** Rows whose name is, or failing that begins with, or failing that contains `pattern`. */
export function matchingRows(pattern: string): readonly NamedRow[] {
  const wanted = pattern.toLowerCase();
  const tests: ((id: string) => boolean)[] = [
    (id) => id === wanted,
    (id) => id.startsWith(`${wanted} `),
    (id) => id.startsWith(wanted),
    (id) => id.includes(wanted),
  ];
  for (const matches of tests) {
    const found = rows.filter(({ id }) => matches(id.toLowerCase()));
    if (found.length > 0) return found;
  }
  return [];
}

/** Areas of the table, for reports and files. */
export const areas = ['one-byte', 'two-byte', '0f38', '0f3a', 'x87', 'mmx', 'sse'] as const;
export type Area = (typeof areas)[number];

export function areaOf({ map, opcode, operands, feature }: Row): Area {
  if (map === 0) return opcode >= 0xd8 && opcode <= 0xdf ? 'x87' : 'one-byte';
  if (/[PQN](d|q|y)\b/.test(operands) || feature === 'mmx') return 'mmx';
  if (map === 2) return '0f38';
  if (map === 3) return '0f3a';
  return /[VWU](d|q|dq|w)\b/.test(operands) ? 'sse' : 'two-byte';
}
