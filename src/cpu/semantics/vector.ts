/**
 * 128-bit values for the semantics of MMX and SSE. An operation on lanes is written once, over v128; an MMX operand is the
 * low half of one, and what lies above an operand's width is garbage that no result depends on.
 */
import { simd, v128Constant } from '../../wasm/expression.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form, Operand } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { knownNumber, operandAt } from './operands.ts';

/** A SIMD operation by its number in `v128`. */
export const op = (opcode: number, ...operands: Value[]): Value => simd(opcode, operands);

/** Lane `lane` of a vector, by an ExtractLane operation. */
export const extract = (opcode: number, vector: Value, lane: number): Value => simd(opcode, [vector], lane);

/** `vector` with lane `lane` replaced, by a ReplaceLane operation. */
export const replace = (opcode: number, vector: Value, lane: number, value: Value): Value =>
  simd(opcode, [vector, value], lane);

/** Bytes chosen from a (0–15) and b (16–31). */
export const shuffle = (a: Value, b: Value, bytes: readonly number[]): Value =>
  simd(v128.shuffle, [a, b], undefined, bytes);

/** Bytes of `vector` chosen by those of `indices`; 16 and above choose 0. */
export const swizzle = (vector: Value, indices: Value): Value => op(v128.swizzle, vector, indices);

/** A constant of lanes of `bits` each, repeated to 128 bits. */
export function lanes(bits: 8 | 16 | 32 | 64, ...values: (number | bigint)[]): Value {
  const bytes: number[] = [];
  for (let at = 0; at < 16; at++) {
    const value = BigInt(values[((at * 8) / bits) | 0] ?? values[(((at * 8) / bits) | 0) % values.length] ?? 0);
    bytes.push(Number((value >> BigInt((at * 8) % bits)) & 0xffn));
  }
  return v128Constant(bytes);
}

export const zeroVector = lanes(8, 0);
/** 0, 1 … 15. */
export const iota = lanes(8, ...Array.from({ length: 16 }, (_, n) => n));

export const splat8 = (value: Value): Value => op(v128.i8x16Splat, value);
export const splat16 = (value: Value): Value => op(v128.i16x8Splat, value);
export const splat32 = (value: Value): Value => op(v128.i32x4Splat, value);
export const splat64 = (value: Value): Value => op(v128.i64x2Splat, value);

export const low32 = (vector: Value): Value => extract(v128.i32x4ExtractLane, vector, 0);
export const low64 = (vector: Value): Value => extract(v128.i64x2ExtractLane, vector, 0);

/** The lowest lane of 64 or 32 bits as a floating-point value: it stays in a vector register of the host. */
export const lowFloat = (vector: Value, bits: number): Value =>
  extract(bits === 64 ? v128.f64x2ExtractLane : v128.f32x4ExtractLane, vector, 0);

/** Bits of `a` where `mask` is 1, of `b` where it is 0. */
export const blend = (mask: Value, a: Value, b: Value): Value => op(v128.bitselect, a, b, mask);

/** a AND NOT b. */
export const andNot = (a: Value, b: Value): Value => op(v128.andnot, a, b);

/** Two low halves as one vector, `low` first. */
export const joinLow = (low: Value, high: Value): Value =>
  shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

/** `condition` (i32) ? a : b; decided here if the condition is a constant. */
export function choose(o: Ops, condition: Value, a: Value, b: Value): Value {
  const known = knownNumber(condition);
  if (known !== undefined) return known !== 0 ? a : b;
  return o.select(condition, a, b);
}

const isScalar = ({ kind, bits }: Operand): boolean =>
  (kind === 'xmm' || kind === 'memory') && (bits === 64 || bits === 32);

/** Reads any operand as a vector. Bound. */
export function readVector(o: Ops, operand: Operand): Value {
  if (operand.kind === 'xmm' && operand.bits < 128) return o.readLow(operand);
  if (isScalar(operand)) return o.readMemory(operand, 'v128');
  const value = o.read(operand);
  if (value.type === 'v128') return value;
  return o.let(value.type === 'i64' ? splat64(value) : splat32(value));
}

/**
 * Reads an operand of any kind, one of 64 or 32 bits in memory or an xmm register as a floating-point value: no more than
 * its bits is meant. Bound.
 */
export function readScalar(o: Ops, operand: Operand): Value {
  if (!isScalar(operand)) return o.read(operand);
  return operand.kind === 'xmm' ? o.readNumber(operand) : o.readMemory(operand, operand.bits === 64 ? 'f64' : 'f32');
}

/** Writes the low lanes of `vector` to an operand as wide as they are. */
export function writeVector(o: Ops, operand: Operand, vector: Value): void {
  if (operand.bits === 128) o.write(operand, vector);
  else if (isScalar(operand)) o.write(operand, o.let(lowFloat(vector, operand.bits)));
  else o.write(operand, o.let(operand.bits === 64 ? low64(vector) : low32(vector)));
}

export const isMmx = (operand: Operand): boolean => operand.kind === 'mmx';

/** What a lane operation makes of two vectors; in MMX form (`mmx`), of their low halves. Operands are bound. */
export type VectorOperation = (o: Ops, a: Value, b: Value, mmx: boolean) => Value;

/** destination = operation(destination, source). */
export function binary(operation: VectorOperation): Semantics {
  return (o: Ops, x: Form): void => {
    const destination = operandAt(x, 0);
    const b = readVector(o, operandAt(x, 1));
    const a = readVector(o, destination);
    writeVector(o, destination, operation(o, a, b, isMmx(destination)));
  };
}

/** destination = opcode(destination, source), one WebAssembly operation. */
export const direct = (opcode: number): Semantics => binary((_o, a, b) => op(opcode, a, b));

/** destination = operation(source). */
export function unary(operation: (o: Ops, a: Value) => Value): Semantics {
  return (o, x) => writeVector(o, operandAt(x, 0), operation(o, readVector(o, operandAt(x, 1))));
}

/** The 8-bit immediate of a vector instruction, bound: i32. */
export const immediateOf = (o: Ops, x: Form): Value => o.let(o.immediate(operandAt(x, 2), 8));
