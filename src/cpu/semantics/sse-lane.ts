/** Single lanes: inserted, extracted, searched and tested. SDM Vol. 2. */
import { v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import { byteDistances } from './sse-integer.ts';
import {
  andNot,
  blend,
  extract,
  immediateOf,
  iota,
  isMmx,
  lanes,
  low32,
  low64,
  op,
  readVector,
  splat8,
  splat16,
  splat32,
  splat64,
  swizzle,
  writeVector,
} from './vector.ts';

/** `vector` moved down by a number of bytes, so that a lane known only at run time becomes lane 0. */
const lowered = (vector: Value, bytes: Value): Value => swizzle(vector, op(v128.i8x16Add, iota, splat8(bytes)));

/** Reads lane 0 of a width. */
function lowLane(vector: Value, bits: number): Value {
  if (bits === 8) return extract(v128.i8x16ExtractLaneU, vector, 0);
  if (bits === 16) return extract(v128.i16x8ExtractLaneU, vector, 0);
  return bits === 32 ? low32(vector) : low64(vector);
}

/** PEXTRx, EXTRACTPS: a lane, zero-extended to a register. `bits` undefined: as wide as the destination. */
function extraction(laneBits?: 8 | 16 | 32): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const source = operandAt(x, 1);
    const bits = laneBits ?? destination.bits;
    const count = (isMmx(source) ? 64 : 128) / bits;
    const bytes = o.let(o.shl(o.and(immediateOf(o, x), count - 1), Math.log2(bits / 8)));
    o.write(destination, o.let(lowLane(lowered(readVector(o, source), bytes), bits)));
  };
}

/** Numbers of the lanes of `bits`, and a splat and comparison to match them. */
function laneNumbers(bits: number): { numbers: Value; splat: (o: Ops, value: Value) => Value; equal: number } {
  if (bits === 8) return { numbers: iota, splat: (_o, v) => splat8(v), equal: v128.i8x16Eq };
  if (bits === 16)
    return { numbers: lanes(16, 0, 1, 2, 3, 4, 5, 6, 7), splat: (_o, v) => splat16(v), equal: v128.i16x8Eq };
  if (bits === 32) return { numbers: lanes(32, 0, 1, 2, 3), splat: (_o, v) => splat32(v), equal: v128.i32x4Eq };
  return { numbers: lanes(64, 0, 1), splat: (o, v) => splat64(o.extendU(v)), equal: v128.i64x2Eq };
}

/** `vector` with the lane of a number known only at run time replaced. */
function inserted(o: Ops, vector: Value, bits: number, lane: Value, value: Value): Value {
  const { numbers, splat, equal } = laneNumbers(bits);
  return blend(op(equal, numbers, splat(o, lane)), splat(o, value), vector);
}

/** PINSRx: the low bits of a register, or memory. `bits` undefined: as wide as the source. */
function insertion(laneBits?: 8 | 16): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const source = operandAt(x, 1);
    const bits = laneBits ?? source.bits;
    const value = o.read(source);
    const lane = o.and(immediateOf(o, x), (isMmx(destination) ? 64 : 128) / bits - 1);
    writeVector(o, destination, o.let(inserted(o, readVector(o, destination), bits, lane, value)));
  };
}

/** INSERTPS: lane 7:6 of a register (or memory) to lane 5:4, then zeros where bits 3:0 say so. */
function insertps(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const source = operandAt(x, 1);
  const immediate = immediateOf(o, x);
  const vector = readVector(o, source);
  const from = o.and(o.shrU(immediate, 4), 12);
  const value = o.let(low32(source.kind === 'memory' ? vector : lowered(vector, from)));
  const lane = o.and(o.shrU(immediate, 4), 3);
  const bits = lanes(32, 1, 2, 4, 8);
  const cleared = op(v128.i32x4Eq, op(v128.and, splat32(immediate), bits), bits);
  const result = andNot(inserted(o, readVector(o, destination), 32, lane, value), cleared);
  o.write(destination, o.let(result));
}

/** MPSADBW: distances of four bytes of b from each of eight runs of four bytes of a. */
function mpsadbw(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  const b = readVector(o, operandAt(x, 1));
  const a = readVector(o, destination);
  const immediate = immediateOf(o, x);
  const runs = o.let(lowered(a, o.and(immediate, 4)));
  const block = o.let(o.shl(o.and(immediate, 3), 2));
  let sum: Value | undefined;
  for (let step = 0; step < 4; step++) {
    const run = o.let(step === 0 ? runs : lowered(runs, o.i32(step)));
    const byte = o.let(swizzle(b, splat8(o.add(block, step))));
    const distance = op(v128.i16x8ExtendLowI8x16U, byteDistances(run, byte));
    sum = o.let(sum === undefined ? distance : op(v128.i16x8Add, sum, distance));
  }
  o.write(destination, sum as Value);
}

/** PTEST: ZF if b AND a is 0, CF if b AND NOT a is 0. */
function ptest(o: Ops, x: Form): void {
  const b = readVector(o, operandAt(x, 1));
  const a = readVector(o, operandAt(x, 0));
  const isZero = (value: Value): Value => o.isZero(op(v128.anyTrue, value));
  const none = o.i32(0);
  o.setFlags({ zf: isZero(op(v128.and, b, a)), cf: isZero(andNot(b, a)), sf: none, of: none, af: none, pf: none });
}

export const sseLane = {
  pextrb: extraction(8),
  pextrw: extraction(16),
  pextrd: extraction(),
  extractps: extraction(32),
  pinsrb: insertion(8),
  pinsrw: insertion(16),
  pinsrd: insertion(),
  insertps,
  mpsadbw,
  ptest,
} as const satisfies Record<string, Semantics>;
