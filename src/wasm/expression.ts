/** Constructors of expression values; the operation's type follows from its operands. */
import type { LateNumber } from './late-number.ts';
import { atomic, constant, control, convert, f32, f64, i32, i64, load, scalarResults } from './opcodes.ts';
import type { Value, ValueType } from './types.ts';

type IntegerOperation = keyof typeof i32 & keyof typeof i64;
type FloatOperation = keyof typeof f32 & keyof typeof f64;

const comparisons: ReadonlySet<string> = new Set([
  'eqz',
  'eq',
  'ne',
  'ltS',
  'ltU',
  'gtS',
  'gtU',
  'leS',
  'leU',
  'geS',
  'geU',
  'lt',
  'gt',
  'le',
  'ge',
]);

export const none: readonly Value[] = [];

/** All values have one shape, or an engine looks each of their properties up by its name. */
export const node = (
  type: ValueType,
  opcode: number,
  operands: readonly Value[],
  immediate?: number | bigint,
  memory = 0,
  offset?: number | LateNumber,
  bytes?: readonly number[],
  late?: LateNumber,
): Value => ({ type, opcode, operands, immediate, memory, offset, bytes, late });

export const i32Constant = (value: number): Value => node('i32', constant.i32, none, value | 0);

/** Small ones are kept as numbers. */
export function i64Constant(value: bigint | number): Value {
  const number = Number(value);
  return node('i64', constant.i64, none, (number | 0) === number ? number : BigInt.asIntN(64, BigInt(value)));
}

/** An i64 constant that is filled in later. */
export const lateConstant = (late: LateNumber): Value =>
  node('i64', constant.i64, none, undefined, 0, undefined, undefined, late);

/** A constant of integer type `type`. */
export function integerConstant(type: ValueType, value: bigint | number): Value {
  if (type === 'i64') return i64Constant(value);
  return i32Constant(typeof value === 'number' ? value : Number(BigInt.asIntN(32, value)));
}

export const v128Constant = (bytes: readonly number[]): Value =>
  node('v128', constant.v128, none, undefined, 0, undefined, bytes);

export const isConstant = (value: Value): boolean => value.opcode === constant.i32 || value.opcode === constant.i64;

/** Integer operation on one or two operands of the same type (i32 or i64). */
export function integer(operation: IntegerOperation, a: Value, b?: Value): Value {
  if (b !== undefined && a.type !== b.type) throw new Error(`${operation}: ${a.type} with ${b.type}`);
  if (a.type !== 'i32' && a.type !== 'i64') throw new Error(`${operation} of ${a.type}`);
  const opcode = (a.type === 'i32' ? i32 : i64)[operation];
  return node(comparisons.has(operation) ? 'i32' : a.type, opcode, b === undefined ? [a] : [a, b]);
}

/** Floating-point operation on one or two operands of the same type (f32 or f64). */
export function float(operation: FloatOperation, a: Value, b?: Value): Value {
  if (b !== undefined && a.type !== b.type) throw new Error(`${operation}: ${a.type} with ${b.type}`);
  if (a.type !== 'f32' && a.type !== 'f64') throw new Error(`${operation} of ${a.type}`);
  const opcode = (a.type === 'f32' ? f32 : f64)[operation];
  return node(comparisons.has(operation) ? 'i32' : a.type, opcode, b === undefined ? [a] : [a, b]);
}

/** A conversion of `convert`; `type` is the result's. */
export const conversion = (opcode: number, type: ValueType, a: Value): Value => node(type, opcode, [a]);

/** What was widened before is what it was. */
export function wrap(a: Value): Value {
  if (a.type === 'i32') return a;
  const widened = a.opcode === convert.i64ExtendI32U || a.opcode === convert.i64ExtendI32S;
  return widened ? (a.operands[0] as Value) : conversion(convert.wrap, 'i32', a);
}

export const extendUnsigned = (a: Value): Value => (a.type === 'i64' ? a : conversion(convert.i64ExtendI32U, 'i64', a));
export const extendSigned = (a: Value): Value => (a.type === 'i64' ? a : conversion(convert.i64ExtendI32S, 'i64', a));

/** A SIMD operation of `v128`; lane operations take `lane`, shuffles `bytes`. */
export function simd(opcode: number, operands: readonly Value[], lane?: number, bytes?: readonly number[]): Value {
  return node(scalarResults.get(opcode) ?? 'v128', opcode, operands, lane, 0, undefined, bytes);
}

/** `condition ? a : b`, both evaluated. */
export function select(condition: Value, a: Value, b: Value): Value {
  if (a.type !== b.type) throw new Error(`select of ${a.type} and ${b.type}`);
  return node(a.type, control.select, [a, b, condition]);
}

export const loadFrom = (
  opcode: number,
  type: ValueType,
  address: Value,
  offset: number | LateNumber,
  memory: number,
): Value => node(type, opcode, [address], undefined, memory, offset);

export const loadI32 = (address: Value, offset: number, memory = 0): Value =>
  loadFrom(load.i32, 'i32', address, offset, memory);
export const loadI64 = (address: Value, offset: number, memory = 0): Value =>
  loadFrom(load.i64, 'i64', address, offset, memory);

/** Atomic compare and exchange in a memory; `address` must be aligned to the width. Gives what was there. */
export const compareExchange = (
  opcode: number,
  address: Value,
  expected: Value,
  replacement: Value,
  memory: number,
): Value => node(expected.type, opcode, [address, expected, replacement], undefined, memory, 0);

/** Wakes all who wait for the word at `address`, as Atomics.notify does. Gives how many: i32. */
export const notify = (address: Value, memory: number): Value =>
  node('i32', atomic.notify, [address, i32Constant(-1)], undefined, memory, 0);

/** A call as an expression; evaluated where it is used, so bind it. */
export const callFor = (type: ValueType, functionIndex: number, parameters: readonly Value[]): Value =>
  node(type, control.call, parameters, functionIndex);
