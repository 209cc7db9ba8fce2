/** What semantics of floating point ask of their user: how MXCSR stands, what is known of registers, rare code elsewhere. */
import { mxcsr } from '../../spec/x86/mxcsr.ts';
import { simd, v128Constant } from '../../wasm/expression.ts';
import { v128 } from '../../wasm/opcodes.ts';
import type { Value, ValueType } from '../../wasm/types.ts';
import { state } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';
import { encodingOf, FlagEmitter } from './flags.ts';
import type { Operand } from './form.ts';
import type { HostCall } from './host-calls.ts';

/** The floating-point lanes that an instruction works on: from the lowest on. */
export interface LaneShape {
  readonly double: boolean;
  readonly count: 1 | 2 | 4;
}

/** What rare code is emitted with: it computes, and may call a slow path, but sees no operands. */
export interface SlowEmitter extends Emitter {
  /** As `FloatEmitter.host`. */
  host(name: HostCall, ...parameters: Value[]): void;
}

/** Code that runs rarely, so that it may stand elsewhere: a function of its parameters and of MXCSR. */
export interface RareCode {
  /** Two with the same name are the same. */
  readonly name: string;
  readonly parameters: readonly Value[];
  readonly result: ValueType;
  readonly body: (o: SlowEmitter, parameters: readonly Value[]) => Value;
}

/** Rounding to nearest, every exception masked, #P flagged already: inexact arithmetic on ordinary numbers shows nowhere. */
const silent = {
  mask: mxcsr.roundingMask | mxcsr.allMasks | mxcsr.precision,
  value: mxcsr.allMasks | mxcsr.precision,
} as const;

/**
 * How closely operations must be looked at. `plain`: the width of a range of results that need no look at MXCSR, in the
 * units of `semantics/sse-scalar.ts`; of binary32 all normal numbers but the least binade. `inexact`: a range of none, for
 * inexact results show in MXCSR. `untame`: nor can be relied on what is noted of registers.
 */
export const floatLimit = { untame: 0, inexact: 1, plain: 0xfd00_0000 | 0 } as const;

/**
 * i32: `value` is denormal, or the least normal number. Without its sign and less one, nothing else has the exponent 0, for
 * zero becomes the greatest number.
 */
export function isTiny(o: Emitter, value: Value): Value {
  const magnitude = o.sub(o.shl(encodingOf(value), 1), 1);
  return value.type === 'f64' ? o.isZero(o.shrU(magnitude, 53)) : o.ltU(magnitude, 1 << 24);
}

const repeated = (bits: 32 | 64, value: bigint): Value =>
  v128Constant(Array.from({ length: 16 }, (_, n) => Number((value >> BigInt((n * 8) % bits)) & 0xffn)));

const tinyLanes = {
  double: { add: v128.i64x2Add, bias: repeated(64, 2n ** 63n - 1n), limit: repeated(32, 0x8020_0000n) },
  single: { add: v128.i32x4Add, bias: repeated(32, 2n ** 31n - 1n), limit: repeated(32, 0x8100_0000n) },
} as const;

/** The same for the lanes of a vector, bound: a mask in the sign bits of lanes. Below the exponent there is no need to look. */
export function areTiny(o: Emitter, { double }: LaneShape, vector: Value): Value {
  const { add, bias, limit } = tinyLanes[double ? 'double' : 'single'];
  const magnitude = simd(add, [simd(add, [vector, vector]), o.shared(bias)]);
  return simd(v128.i32x4GtS, [o.shared(limit), magnitude]);
}

/** i32: the sign bits of all lanes of the shape. */
export const laneSigns = ({ double }: LaneShape, vector: Value): Value =>
  simd(double ? v128.i64x2Bitmask : v128.i32x4Bitmask, [vector]);

export abstract class FloatEmitter extends FlagEmitter {
  /**
   * Runs a slow path in TypeScript. Arguments (i64) go to `state.scratch`. Leaves the instruction if it faults or
   * redirects; otherwise continues, results in `state.scratch`.
   */
  abstract host(name: HostCall, ...parameters: Value[]): void;

  /** i32: a `floatLimit`, or something between `inexact` and `plain`, to be taken as `plain`. */
  floatLimit(): Value {
    const matches = this.eq(this.and(this.loadState32(state.mxcsr), silent.mask), silent.value);
    return this.select(matches, this.i32(floatLimit.plain), this.i32(floatLimit.inexact));
  }

  /** Makes the limit `untame` if one of these numbers, or vectors, which will be noted as tame, is not. */
  lowerFloatLimit(_shape: LaneShape, _values: readonly Value[]): void {}

  /** LDMXCSR ran. */
  mxcsrChanged(): void {}

  /** No lane of the register is denormal, unless the limit is `untame`. */
  isTame(_operand: Operand, _shape: LaneShape): boolean {
    return false;
  }

  noteTame(_operand: Operand, _shape: LaneShape): void {}

  /** The low `bits` of `destination`, if it is a register, were copied from those of `source`. */
  noteCopy(_destination: Operand, _source: Operand): void {}

  /** Both are one register, known while code is emitted. */
  isSameRegister(_a: Operand, _b: Operand): boolean {
    return false;
  }

  /** Runs rare code. @returns its result, bound. */
  rare({ parameters, body }: RareCode): Value {
    return this.let(body(this, parameters));
  }
}
