/** The whole instruction table: every area's rows, numbered, with their operands parsed once. */
import { bmiRows } from './bmi.ts';
import { mmxRows } from './mmx.ts';
import { oneByteRows } from './one-byte.ts';
import { type OperandSpec, parseOperands } from './operand.ts';
import type { Row, TableRow } from './row.ts';
import { sseRows } from './sse.ts';
import { sse4Rows } from './sse4.ts';
import { systemRows } from './system.ts';
import { twoByteRows } from './two-byte.ts';
import { x87Rows } from './x87.ts';

/** The form of ModRM that operands allow: an M wants memory; R, U, N and ST(i) want a register. */
function impliedMod(operands: readonly OperandSpec[]): 'mem' | 'reg' | undefined {
  for (const { source } of operands) {
    if (source === 'M') return 'mem';
    if (source === 'R' || source === 'U' || source === 'N' || source === 'T') return 'reg';
  }
  return undefined;
}

/** Rows with the same operands share their parsed form: whoever asks something of it again and again may keep the answer. */
function tableOf(rows: readonly Row[]): TableRow[] {
  const parsed = new Map<string, Pick<TableRow, 'operandSpecs' | 'mod'>>();
  return rows.map((row, id) => {
    let operands = parsed.get(row.operands);
    if (operands === undefined) {
      const operandSpecs = parseOperands(row.operands);
      const mod = impliedMod(operandSpecs);
      operands = mod === undefined ? { operandSpecs } : { operandSpecs, mod };
      parsed.set(row.operands, operands);
    }
    return { ...operands, ...row, id };
  });
}

/** Every encoding, in the order of `id`. */
export const instructionTable: readonly TableRow[] = tableOf([
  ...oneByteRows,
  ...twoByteRows,
  ...systemRows,
  ...bmiRows,
  ...x87Rows,
  ...mmxRows,
  ...sseRows,
  ...sse4Rows,
]);

/** The parsed operands column of a table row, destination first. */
export function operandsOf(row: TableRow): readonly OperandSpec[] {
  return row.operandSpecs;
}

/** Every name in the `semantics` column, sorted: what `cpu/semantics` has to provide. */
export function semanticsNames(): string[] {
  return [...new Set(instructionTable.map((row) => row.semantics))].sort();
}
