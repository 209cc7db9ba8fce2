/** SSE conversions between formats and integers, ROUNDxx. `sse-exact.ts` has the slow path. SDM Vol. 2. */
import { conversion, float as floatOf } from '../../wasm/expression.ts';
import { convert, v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import { floatLimit, type LaneShape, type RareCode, type SlowEmitter } from '../emit/float-emitter.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import type { SseOperation } from '../emit/sse-operations.ts';
import { operandAt } from './operands.ts';
import {
  both,
  callSlow,
  either,
  exponentBetween,
  fastOrRare,
  fastOrSlow,
  holds,
  isOrdinary,
  isSilent,
  isZero,
  lowSingles,
  magnitudeOf,
  pd,
  precisionIsSilent,
  ps,
  roundingControl,
  sd,
  slowResult,
  ss,
} from './sse-exact.ts';
import { narrowingIsExact } from './sse-precision.ts';
import { floatType, readSource, scalarOperation, splatFloat } from './sse-scalar.ts';
import {
  choose,
  immediateOf,
  lanes,
  low32,
  low64,
  lowFloat,
  op,
  readVector,
  splat32,
  splat64,
  writeVector,
} from './vector.ts';

type Rounding = 'nearest' | 'truncate';

/** i32: not zero if rounding is to nearest and inexact results show nowhere. */
const isPlainMode = (o: Ops): Value => o.gtU(o.floatLimit(), floatLimit.inexact);

/** A conversion of a single number or integer that is all slow path. */
const scalarSlowPath = (
  operation: SseOperation,
  shape: LaneShape,
  operand: Value,
  result: 'f32' | 'f64',
): RareCode => ({
  name: `${operation} ${shape.double ? 'sd' : 'ss'}`,
  parameters: [operand],
  result,
  body: (o, [value]) => {
    const b = (value as Value).type;
    const splatted =
      b === 'i64' ? splat64(value as Value) : b === 'i32' ? splat32(value as Value) : splatFloat(value as Value);
    callSlow(o, { operation, shape, b: o.let(splatted) });
    return lowFloat(slowResult(o), result === 'f64' ? 64 : 32);
  },
});

// Floating point to floating point

/** CVTSS2SD: exact. */
function widenOne(o: Ops, x: Form): void {
  const b = readSource(o, operandAt(x, 1));
  scalarOperation(o, {
    shape: ss,
    resultShape: sd,
    destination: operandAt(x, 0),
    sources: [b],
    fast: conversion(convert.f64Promote, 'f64', b.value),
    rounds: false,
    conditions: [floatOf('ne', b.value, b.value)],
    rare: scalarSlowPath('to-double', ss, b.value, 'f64'),
  });
}

/** CVTPS2PD: exact. */
function widenTwo(o: Ops, x: Form): void {
  const b = readVector(o, operandAt(x, 1));
  const plain = holds(o, lowSingles, isOrdinary(magnitudeOf(o, lowSingles, b)));
  o.write(
    operandAt(x, 0),
    fastOrRare(o, plain, op(v128.f64x2PromoteLowF32x4, b), { operation: 'to-double', shape: lowSingles, b }),
  );
}

/** Biased binary64 exponents of 2^-125 and 2^127: between them, results are normal binary32 numbers. */
const singleRange = { least: 1023 - 125, end: 1023 + 127 } as const;

function narrowed(o: SlowEmitter, shape: LaneShape, b: Value): Value {
  const magnitude = magnitudeOf(o, shape, b);
  const inRange = exponentBetween(magnitude, singleRange.least, singleRange.end);
  const plain = holds(o, shape, either(inRange, isZero(magnitude)));
  const result = o.let(op(v128.f32x4DemoteF64x2Zero, b));
  const silent = isSilent(o, shape, plain, () => narrowingIsExact(b, result));
  return fastOrSlow(o, silent, result, { operation: 'to-single', shape, b });
}

/** CVTSD2SS. A denormal operand has no plain result. */
function narrowOne(o: Ops, x: Form): void {
  const b = readSource(o, operandAt(x, 1));
  scalarOperation(o, {
    shape: sd,
    resultShape: ss,
    destination: operandAt(x, 0),
    sources: [],
    fast: conversion(convert.f32Demote, 'f32', b.value),
    rounds: true,
    rare: {
      name: 'cvtsd2ss',
      parameters: [b.value],
      result: 'f32',
      body: (s, [value]) => lowFloat(narrowed(s, sd, s.let(splatFloat(value as Value))), 32),
    },
  });
}

/** CVTPD2PS. */
function narrowTwo(o: Ops, x: Form): void {
  o.write(operandAt(x, 0), narrowed(o, pd, readVector(o, operandAt(x, 1))));
}

// Integers to floating point

/** CVTDQ2PD, CVTPI2PD: exact. */
function doublesFromIntegers(o: Ops, x: Form): void {
  const destination = operandAt(x, 0);
  o.write(destination, op(v128.f64x2ConvertLowI32x4S, readVector(o, operandAt(x, 1))));
  o.noteTame(destination, pd);
}

/** CVTDQ2PS, CVTPI2PS: exact up to 2^24. */
function singlesFromIntegers(shape: LaneShape): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const small = op(v128.i32x4GtU, lanes(32, 0x200_0001), op(v128.i32x4Add, b, lanes(32, 0x100_0000)));
    const condition = o.or(isPlainMode(o), holds(o, shape, small));
    const call = { operation: 'from-int32', shape, b } as const;
    const destination = operandAt(x, 0);
    writeVector(o, destination, fastOrRare(o, condition, op(v128.f32x4ConvertI32x4S, b), call));
    o.noteTame(destination, shape);
  };
}

/** CVTSI2SS, CVTSI2SD. */
function fromGeneral(shape: LaneShape): Semantics {
  return (o, x) => {
    const source = operandAt(x, 1);
    const value = o.read(source);
    const wide = source.bits === 64;
    const opcode = shape.double
      ? wide
        ? convert.f64FromI64S
        : convert.f64FromI32S
      : wide
        ? convert.f32FromI64S
        : convert.f32FromI32S;
    const destination = operandAt(x, 0);
    const type = floatType(shape);
    const result = o.variable(type, conversion(opcode, type, value));
    if (!shape.double || wide) {
      const exactBits = shape.double ? 53n : 24n;
      const mayRound = o.gtU(o.add(value, 1n << exactBits), 2n << exactBits);
      const operation = wide ? 'from-int64' : 'from-int32';
      o.ifAny([o.and(o.isZero(isPlainMode(o)), mayRound)], () =>
        o.set(result, o.rare(scalarSlowPath(operation, shape, value, type))),
      );
    }
    o.write(destination, o.get(result));
    o.noteTame(destination, shape);
  };
}

// Floating point to integers. A value that was rounded to `rounded` converts silently if `rounded` fits and is the value,
// or #P is silent.

const roundOpcodes = {
  nearest: [v128.f32x4Nearest, v128.f64x2Nearest],
  down: [v128.f32x4Floor, v128.f64x2Floor],
  up: [v128.f32x4Ceil, v128.f64x2Ceil],
  truncate: [v128.f32x4Trunc, v128.f64x2Trunc],
} as const;

const rounded = ({ double }: LaneShape, rounding: keyof typeof roundOpcodes, value: Value): Value =>
  op(roundOpcodes[rounding][double ? 1 : 0], value);

const equal = ({ double }: LaneShape, a: Value, b: Value): Value => op(double ? v128.f64x2Eq : v128.f32x4Eq, a, b);

/** Lane mask: -2^31 <= value < 2^31. */
function fitsInt32({ double }: LaneShape, value: Value): Value {
  const least = double ? lanes(64, 0xc1e0_0000_0000_0000n) : lanes(32, 0xcf00_0000);
  const end = double ? lanes(64, 0x41e0_0000_0000_0000n) : lanes(32, 0x4f00_0000);
  const [le, lt] = double ? [v128.f64x2Le, v128.f64x2Lt] : [v128.f32x4Le, v128.f32x4Lt];
  return both(op(le, least, value), op(lt, value, end));
}

/** CVTPS2DQ, CVTPD2DQ, CVTPS2PI, CVTPD2PI and their truncating forms. */
function toIntegers(shape: LaneShape, rounding: Rounding): Semantics {
  const opcode = shape.double ? v128.i32x4TruncSatF64x2SZero : v128.i32x4TruncSatF32x4S;
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const whole = o.let(rounded(shape, rounding, b));
    const silent = o.or(isPlainMode(o), holds(o, shape, equal(shape, whole, b)));
    const condition = o.and(o.ne(silent, 0), o.ne(holds(o, shape, fitsInt32(shape, whole)), 0));
    const immediate = o.i32(rounding === 'truncate' ? 1 : 0);
    const call = { operation: 'to-int32', shape, b, immediate } as const;
    writeVector(o, operandAt(x, 0), fastOrRare(o, condition, op(opcode, whole), call));
  };
}

const greatest = 2n ** 63n - 1n;

/** CVTSS2SI and so on where #P may be visible, or is not the only exception that may be. */
const generalCode = (shape: LaneShape, rounding: Rounding, wide: boolean, value: Value): RareCode => ({
  name: `${rounding} ${shape.double ? 'sd' : 'ss'} ${wide ? 64 : 32}`,
  parameters: [value],
  result: wide ? 'i64' : 'i32',
  body: (o, [operand]) => {
    const immediate = o.i32(rounding === 'truncate' ? 1 : 0);
    const b = o.let(splatFloat(operand as Value));
    callSlow(o, { operation: wide ? 'to-int64' : 'to-int32', shape, b, immediate });
    return wide ? low64(slowResult(o)) : low32(slowResult(o));
  },
});

/** CVTSS2SI, CVTSD2SI and their truncating forms. */
function toGeneral(shape: LaneShape, rounding: Rounding): Semantics {
  const opcodes = shape.double
    ? { truncate: convert.i64TruncSatF64S, back: convert.f64FromI64S }
    : { truncate: convert.i64TruncSatF32S, back: convert.f32FromI64S };
  const isInexact = (value: Value, whole: Value): Value =>
    floatOf('ne', conversion(opcodes.back, floatType(shape), whole), value);
  return (o, x) => {
    const destination = operandAt(x, 0);
    const bits = destination.bits;
    const { value } = readSource(o, operandAt(x, 1));
    const wide = o.let(conversion(opcodes.truncate, 'i64', rounding === 'nearest' ? floatOf('nearest', value) : value));
    const wrong = [floatOf('ne', value, value), o.and(o.isZero(isPlainMode(o)), isInexact(value, wide))];
    // What does not fit becomes the greatest or the least number.
    if (bits === 64) wrong.push(o.eq(o.xor(wide, o.shrS(wide, 63)), greatest));
    else wrong.push(o.ne(o.signExtend(wide, 32), wide));
    const result = o.variable(bits === 64 ? 'i64' : 'i32', bits === 64 ? wide : o.wrap(wide));
    o.ifAny(wrong, () => o.set(result, o.rare(generalCode(shape, rounding, bits === 64, value))));
    o.write(destination, o.get(result));
  };
}

/** Bits of the immediate of ROUNDxx: use MXCSR.RC, do not signal #P. */
const roundBit = { useMxcsr: 4, quiet: 8 } as const;

/** ROUNDSS … ROUNDPD. */
function round(shape: LaneShape): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const immediate = immediateOf(o, x);
    const mode = o.let(choose(o, o.and(immediate, roundBit.useMxcsr), roundingControl(o), o.and(immediate, 3)));
    const isMode = (number: number): Value => o.eq(mode, number);
    const down = o.select(isMode(1), rounded(shape, 'down', b), rounded(shape, 'nearest', b));
    const up = o.select(isMode(2), rounded(shape, 'up', b), down);
    const whole = o.let(o.select(isMode(3), rounded(shape, 'truncate', b), up));
    const quiet = o.or(o.and(immediate, roundBit.quiet), precisionIsSilent(o, false));
    const silent = o.or(quiet, holds(o, shape, equal(shape, whole, b)));
    const plain = holds(o, shape, isOrdinary(magnitudeOf(o, shape, b)));
    const condition = o.and(o.ne(silent, 0), o.ne(plain, 0));
    writeVector(o, operandAt(x, 0), fastOrRare(o, condition, whole, { operation: 'round', shape, b, immediate }));
  };
}

export const sseConvert = {
  cvtss2sd: widenOne,
  cvtps2pd: widenTwo,
  cvtsd2ss: narrowOne,
  cvtpd2ps: narrowTwo,
  cvtdq2pd: doublesFromIntegers,
  cvtpi2pd: doublesFromIntegers,
  cvtdq2ps: singlesFromIntegers(ps),
  cvtpi2ps: singlesFromIntegers(lowSingles),
  cvtsi2ss: fromGeneral(ss),
  cvtsi2sd: fromGeneral(sd),
  cvtps2dq: toIntegers(ps, 'nearest'),
  cvttps2dq: toIntegers(ps, 'truncate'),
  cvtpd2dq: toIntegers(pd, 'nearest'),
  cvttpd2dq: toIntegers(pd, 'truncate'),
  cvtps2pi: toIntegers(lowSingles, 'nearest'),
  cvttps2pi: toIntegers(lowSingles, 'truncate'),
  cvtpd2pi: toIntegers(pd, 'nearest'),
  cvttpd2pi: toIntegers(pd, 'truncate'),
  cvtss2si: toGeneral(ss, 'nearest'),
  cvttss2si: toGeneral(ss, 'truncate'),
  cvtsd2si: toGeneral(sd, 'nearest'),
  cvttsd2si: toGeneral(sd, 'truncate'),
  roundss: round(ss),
  roundsd: round(sd),
  roundps: round(ps),
  roundpd: round(pd),
} as const satisfies Record<string, Semantics>;
