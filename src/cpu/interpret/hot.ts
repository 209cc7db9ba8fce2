/** Which forms are worth a case of a dispatch loop: those that integer code is made of. */
import type { FormKey } from '../emit/forms.ts';
import type { TableRow } from '../isa/row.ts';
import { instructionTable } from '../isa/table.ts';
import { formKeys } from './handler-keys.ts';

export interface HotForm {
  readonly row: TableRow;
  readonly key: FormKey;
}

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

/** What compilers seldom have done in memory. */
const rareInMemory: ReadonlySet<string> = new Set([
  'adc',
  'sbb',
  'neg',
  'not',
  'shl',
  'shr',
  'sar',
  'rol',
  'ror',
  'setcc',
]);

/** Conditions on OF or PF alone (SDM Vol. 2D table B-10), and read-modify-write forms that are hardly seen. */
const isRare = ({ semantics, condition = 4, operands }: TableRow, { registerForm }: FormKey): boolean =>
  [0, 0xa].includes(condition & 0xe) || (rareInMemory.has(semantics) && !registerForm && operands.startsWith('E'));

/** The operand sizes that occur in ordinary code; others (a 66 prefix, a needless REX.W) take the slower way. */
function commonSizes(row: TableRow, long: boolean): readonly number[] {
  if (!long) return [32];
  if (row.size64 !== undefined) return [64];
  return row.operandSpecs.every(({ width }) => width === 'b') ? [32] : [32, 64];
}

const isHot = (row: TableRow, key: FormKey): boolean =>
  key.addressSize === (key.long ? 64 : 32) &&
  key.repeat === 0 &&
  !key.locked &&
  !isRare(row, key) &&
  commonSizes(row, key.long).includes(key.operandSize) &&
  row.operandSpecs.every(({ source }) => source !== 'S') &&
  !/[ECSDFG]S/.test(row.operands);

/** The hot forms of 64-bit code, or of 32-bit code, in table order. */
export function hotForms(long: boolean): HotForm[] {
  return instructionTable
    .filter(({ semantics }) => hotSemantics.has(semantics))
    .flatMap((row) =>
      formKeys(row, long)
        .filter((key) => isHot(row, key))
        .map((key) => ({ row, key })),
    );
}
