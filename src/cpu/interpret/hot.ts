/** Which handlers are worth a case of the dispatch loop: the forms that integer code in 64-bit mode is made of. */
import type { FormKey } from '../emit/forms.ts';
import type { TableRow } from '../isa/row.ts';
import { instructionTable } from '../isa/table.ts';
import { formKeys } from './handlers.ts';

const hotSemantics: ReadonlySet<string> = new Set([
  'mov',
  'lea',
  'add',
  'sub',
  'cmp',
  'test',
  'and',
  'or',
  'xor',
  'adc',
  'sbb',
  'inc',
  'dec',
  'neg',
  'not',
  'push',
  'pop',
  'jcc',
  'jmp',
  'jmp-indirect',
  'call',
  'call-indirect',
  'ret',
  'leave',
  'movzx',
  'movsx',
  'shl',
  'shr',
  'sar',
  'rol',
  'ror',
  'imul',
  'setcc',
  'cmovcc',
  'nop',
  'bt',
  'cdq',
  'cwd',
  'cbw',
  'endbr',
]);

/** The operand sizes that occur in ordinary 64-bit code; others (a 66 prefix, a needless REX.W) take the slower way. */
function commonSizes(row: TableRow): readonly number[] {
  if (row.size64 !== undefined) return [64];
  return row.operandSpecs.every(({ width }) => width === 'b') ? [32] : [32, 64];
}

const isHot = (row: TableRow, key: FormKey): boolean =>
  hotSemantics.has(row.semantics) &&
  row.only !== 'not64' &&
  key.addressSize === 64 &&
  key.repeat === 0 &&
  !key.locked &&
  commonSizes(row).includes(key.operandSize) &&
  row.operandSpecs.every(({ source }) => source !== 'S') &&
  !/[ECSDFG]S/.test(row.operands);

/** The hot forms, in table order. */
export function hotForms(): { readonly row: TableRow; readonly key: FormKey }[] {
  return instructionTable.flatMap((row) =>
    formKeys(row, true)
      .filter((key) => isHot(row, key))
      .map((key) => ({ row, key })),
  );
}
