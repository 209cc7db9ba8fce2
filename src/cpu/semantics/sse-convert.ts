/** SSE conversions between formats and integers, ROUNDxx. `sse-exact.ts` has the slow path. SDM Vol. 2. */
import { conversion, float as floatOf } from '../../wasm/expression.ts';
import { convert, v128 } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { LaneShape } from '../emit/float-emitter.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { operandAt } from './operands.ts';
import {
  both,
  callSlow,
  either,
  exponentBetween,
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
import {
  choose,
  extract,
  immediateOf,
  lanes,
  low32,
  low64,
  op,
  readVector,
  splat32,
  splat64,
  writeVector,
} from './vector.ts';

type Rounding = 'nearest' | 'truncate';

// Floating point to floating point

/** CVTSS2SD, CVTPS2PD: exact. */
function widen(shape: LaneShape): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const plain = holds(o, shape, isOrdinary(magnitudeOf(o, shape, b)));
    const call = { operation: 'to-double', shape, b } as const;
    writeVector(o, operandAt(x, 0), fastOrSlow(o, plain, op(v128.f64x2PromoteLowF32x4, b), call));
  };
}

/** Biased binary64 exponents of 2^-125 and 2^127: between them, results are normal binary32 numbers. */
const singleRange = { least: 1023 - 125, end: 1023 + 127 } as const;

/** CVTSD2SS, CVTPD2PS. */
function narrow(shape: LaneShape): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const magnitude = magnitudeOf(o, shape, b);
    const inRange = exponentBetween(magnitude, singleRange.least, singleRange.end);
    const plain = holds(o, shape, either(inRange, isZero(magnitude)));
    const narrowed = o.let(op(v128.f32x4DemoteF64x2Zero, b));
    const silent = isSilent(o, shape, plain, () => narrowingIsExact(b, narrowed));
    const call = { operation: 'to-single', shape, b } as const;
    writeVector(o, operandAt(x, 0), fastOrSlow(o, silent, narrowed, call));
  };
}

// Integers to floating point

/** CVTDQ2PD, CVTPI2PD: exact. */
function doublesFromIntegers(o: Ops, x: Form): void {
  o.write(operandAt(x, 0), op(v128.f64x2ConvertLowI32x4S, readVector(o, operandAt(x, 1))));
}

/** CVTDQ2PS, CVTPI2PS: exact up to 2^24. */
function singlesFromIntegers(shape: LaneShape): Semantics {
  return (o, x) => {
    const b = readVector(o, operandAt(x, 1));
    const small = op(v128.i32x4GtU, lanes(32, 0x200_0001), op(v128.i32x4Add, b, lanes(32, 0x100_0000)));
    const condition = o.or(precisionIsSilent(o, true), holds(o, shape, small));
    const call = { operation: 'from-int32', shape, b } as const;
    writeVector(o, operandAt(x, 0), fastOrSlow(o, condition, op(v128.f32x4ConvertI32x4S, b), call));
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
    const result = conversion(opcode, shape.double ? 'f64' : 'f32', value);
    const fast = op(shape.double ? v128.f64x2Splat : v128.f32x4Splat, result);
    if (shape.double && !wide) return writeVector(o, operandAt(x, 0), fast);
    const exactBits = shape.double ? 53n : 24n;
    const isExact = o.leU(o.add(value, 1n << exactBits), 2n << exactBits);
    const b = o.let(wide ? splat64(value) : splat32(value));
    const call = { operation: wide ? 'from-int64' : 'from-int32', shape, b } as const;
    writeVector(o, operandAt(x, 0), fastOrSlow(o, o.or(precisionIsSilent(o, true), isExact), fast, call));
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
    const silent = o.or(precisionIsSilent(o, rounding === 'nearest'), holds(o, shape, equal(shape, whole, b)));
    const condition = o.and(o.ne(silent, 0), o.ne(holds(o, shape, fitsInt32(shape, whole)), 0));
    const immediate = o.i32(rounding === 'truncate' ? 1 : 0);
    const call = { operation: 'to-int32', shape, b, immediate } as const;
    writeVector(o, operandAt(x, 0), fastOrSlow(o, condition, op(opcode, whole), call));
  };
}

const double = (o: Ops, value: number): Value => {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return conversion(convert.f64FromI64Bits, 'f64', o.i64(bits.getBigInt64(0)));
};

/** CVTSS2SI, CVTSD2SI and their truncating forms. Widening the operand first is exact. */
function toGeneral(shape: LaneShape, rounding: Rounding): Semantics {
  return (o, x) => {
    const destination = operandAt(x, 0);
    const bits = destination.bits;
    const b = readVector(o, operandAt(x, 1));
    const value = o.let(
      shape.double
        ? extract(v128.f64x2ExtractLane, b, 0)
        : conversion(convert.f64Promote, 'f64', extract(v128.f32x4ExtractLane, b, 0)),
    );
    const whole = o.let(floatOf(rounding === 'nearest' ? 'nearest' : 'trunc', value));
    const silent = o.or(precisionIsSilent(o, rounding === 'nearest'), floatOf('eq', whole, value));
    const limit = 2 ** (bits - 1);
    const fits = o.and(floatOf('ge', whole, double(o, -limit)), floatOf('lt', whole, double(o, limit)));
    const type = bits === 64 ? 'i64' : 'i32';
    const result = o.variable(type);
    o.ifLikely(
      o.and(silent, fits),
      () => {
        const opcode = bits === 64 ? convert.i64TruncSatF64S : convert.i32TruncSatF64S;
        o.set(result, conversion(opcode, type, whole));
      },
      () => {
        const immediate = o.i32(rounding === 'truncate' ? 1 : 0);
        callSlow(o, { operation: bits === 64 ? 'to-int64' : 'to-int32', shape, b, immediate });
        o.set(result, bits === 64 ? low64(slowResult(o)) : low32(slowResult(o)));
      },
    );
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
    writeVector(o, operandAt(x, 0), fastOrSlow(o, condition, whole, { operation: 'round', shape, b, immediate }));
  };
}

export const sseConvert = {
  cvtss2sd: widen(ss),
  cvtps2pd: widen(lowSingles),
  cvtsd2ss: narrow(sd),
  cvtpd2ps: narrow(pd),
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
