/** Opcodes that read and write memory, by width and by the type that the value has outside. */
import { load, store } from '../../wasm/opcodes.ts';
import type { ValueType } from '../../wasm/types.ts';

/** Number of the memory that is guest RAM. */
export const guestRam = 1;

/** What an operand of `bytes` travels as unless somebody asks for another type. */
export const memoryType = (bytes: number): ValueType => (bytes === 16 ? 'v128' : bytes === 8 ? 'i64' : 'i32');

const loads: Readonly<Record<ValueType, Readonly<Record<number, number>>>> = {
  i32: { 1: load.i32_8u, 2: load.i32_16u, 4: load.i32 },
  i64: { 8: load.i64 },
  f32: { 4: load.f32 },
  f64: { 8: load.f64 },
  v128: { 4: load.v128_32zero, 8: load.v128_64zero, 16: load.v128 },
};

const stores: Readonly<Record<ValueType, Readonly<Record<number, number>>>> = {
  i32: { 1: store.i32_8, 2: store.i32_16, 4: store.i32 },
  i64: { 8: store.i64 },
  f32: { 4: store.f32 },
  f64: { 8: store.f64 },
  v128: { 16: store.v128 },
};

function opcodeOf(table: typeof loads, bytes: number, type: ValueType): number {
  const opcode = table[type][bytes];
  if (opcode === undefined) throw new Error(`access of ${bytes} bytes as ${type}`);
  return opcode;
}

/** Reads `bytes` as a value of `type`; vectors have zeros above them. */
export const loadOpcode = (bytes: number, type: ValueType): number => opcodeOf(loads, bytes, type);
export const storeOpcode = (bytes: number, type: ValueType): number => opcodeOf(stores, bytes, type);
