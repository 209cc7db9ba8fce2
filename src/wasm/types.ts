/** WebAssembly value types and the expression nodes that the emitter is fed with. */
import type { LateNumber } from './late-number.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export const valueTypeCode: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/**
 * A side-effect-free expression, or one whose effects the author keeps in order (a call, a load). Values are emitted
 * where they are used, each use anew: bind a value to a local (`CodeBuilder.bind`) before using it twice.
 */
export interface Value {
  readonly type: ValueType;
  /** `opcodes` number; see there for the encoding of prefixed ones. */
  readonly opcode: number;
  readonly operands: readonly Value[];
  /** Constant, local index, lane, function index … */
  readonly immediate: number | bigint | undefined;
  /** A constant that is filled in later, in place of `immediate`. */
  readonly late: LateNumber | undefined;
  /** Loads: memory index and constant offset. */
  readonly memory: number;
  readonly offset: number | LateNumber | undefined;
  /** SIMD shuffles and constants: 16 bytes. */
  readonly bytes: readonly number[] | undefined;
}

/** A mutable local variable. */
export interface Local {
  readonly type: ValueType;
  readonly index: number;
}

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}
