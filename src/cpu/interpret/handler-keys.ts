/** What handlers and regions are: their types, their numbers, and the forms of a row that have one each. */
import type { FormKey } from '../emit/forms.ts';
import type { TableRow } from '../isa/row.ts';

/** Records that no instruction stands behind. They are cases 0… of the dispatch loop. */
export const pseudoHandler = {
  /** The code was overwritten: look it up again. */
  stale: 0,
  /** Go on at the record's own address (the block was cut there). */
  continue: 1,
  /** Go on at the linked record. */
  goto: 2,
  undefined: 3,
  /** Instruction longer than 15 bytes. */
  tooLong: 4,
  /** Enters the region that the record's immediate refers to. */
  translated: 5,
  /** Goes on at the linked record if the next page still lies at the RAM offset in the record's immediate. */
  straddler: 6,
} as const;

export const pseudoHandlers = 7;
export const maxHandlers = 16384;

export const handlerType = { parameters: ['i32'], results: ['i32'] } as const;

/** Of regions, and of the interpreter's loop, which stands in their table as number 0: (record, region reference) → status. */
export const regionType = { parameters: ['i32', 'i32'], results: ['i32'] } as const;

/** The main module's number for the table of regions. */
export const regionTable = 1;

/** What the interpreter's loop is given as reference where the record it begins with should not be counted. */
export const uncounted = 1;

const sizes = [16, 32, 64] as const;

export type InstructionForm = Pick<FormKey, 'operandSize' | 'addressSize' | 'registerForm' | 'repeat'>;

/** Keys that a row has. */
export const formsOfRow = 3 * 3 * 3 * 8;

/** A number that identifies row and form. */
export function keyOf(
  id: number,
  operandSize: number,
  addressSize: number,
  repeat: FormKey['repeat'],
  registerForm: boolean,
  long: boolean,
  locked: boolean,
): number {
  const times = repeat === 0 ? 0 : repeat === 0xf3 ? 1 : 2;
  const flags = (registerForm ? 1 : 0) + (long ? 2 : 0) + (locked ? 4 : 0);
  return ((((id * 3 + times) * 3 + (operandSize >> 5)) * 3 + (addressSize >> 5)) << 3) + flags;
}

export const handlerKey = (row: TableRow, key: FormKey): number =>
  keyOf(row.id, key.operandSize, key.addressSize, key.repeat, key.registerForm, key.long, key.locked);

/** Every form of `row` in code of this kind; many differ in nothing that the row depends on. */
export function formKeys(row: TableRow, long: boolean): FormKey[] {
  if (row.only === (long ? 'not64' : 'only64')) return [];
  const keys: FormKey[] = [];
  const repeats = row.rep === undefined ? ([0] as const) : ([0, 0xf3, 0xf2] as const);
  for (const operandSize of sizes) {
    if (operandSize === 64 && !long) continue;
    for (const addressSize of sizes) {
      if (long ? addressSize === 16 : addressSize === 64) continue;
      for (const repeat of repeats) {
        const key = { operandSize, addressSize, repeat, long };
        if (row.mod !== 'reg') keys.push({ ...key, registerForm: false, locked: false });
        if (row.mod !== 'mem') keys.push({ ...key, registerForm: true, locked: false });
        if (row.lock === true) keys.push({ ...key, registerForm: false, locked: true });
      }
    }
  }
  return keys;
}
