/** FADD … FDIVR with their forms, and the operations on ST(0) and ST(1). SDM Vol. 1 8.3.5, 8.3.6, 8.3.11. */
import { x87Condition } from '../../../spec/x86/floating-point.ts';
import { x87Source } from '../../emit/x87-operations.ts';
import { type FloatContext, isAborted } from '../../softfloat/context.ts';
import { extended, type F80 } from '../../softfloat/format.ts';
import { isNaNKind, type Unpacked } from '../../softfloat/unpacked.ts';
import {
  x87Absolute,
  x87Add,
  x87ChangeSign,
  x87Divide,
  x87Multiply,
  x87SquareRoot,
  x87Subtract,
} from '../../softfloat/x87-arithmetic.ts';
import { x87RoundToInteger } from '../../softfloat/x87-convert.ts';
import { x87ExpMinusOne, x87YLog2X, x87YLog2XPlusOne } from '../../softfloat/x87-exponential.ts';
import { x87Remainder } from '../../softfloat/x87-remainder.ts';
import { x87Extract, x87Scale } from '../../softfloat/x87-scale.ts';
import { x87ArcTangent } from '../../softfloat/x87-trigonometric.ts';
import { unpackSource } from './source.ts';
import { indefinite, type X87Unit } from './unit.ts';

type Binary = (context: FloatContext, destination: Unpacked, source: Unpacked) => F80;

/** Destination ← destination op source, then pops. */
const binary =
  (compute: Binary) =>
  (u: X87Unit): void => {
    const fromRegister = u.source === x87Source.register;
    const destination = u.toRegister ? u.number : 0;
    const source = u.toRegister ? 0 : u.number;
    if (u.isEmpty(destination) || (fromRegister && u.isEmpty(source))) {
      if (!u.underflow()) return;
      u.set(destination, indefinite);
    } else {
      const result = compute(u.context, extended.unpack(u.get(destination)), unpackSource(u, source));
      if (isAborted(u.context)) return;
      u.set(destination, result);
    }
    u.pop();
  };

/** ST(0) ← f(ST(0)). */
const unary =
  (compute: (context: FloatContext, a: F80) => F80) =>
  (u: X87Unit): void => {
    if (u.isEmpty(0)) {
      if (u.underflow()) u.set(0, indefinite);
      return;
    }
    const result = compute(u.context, u.get(0));
    if (!isAborted(u.context)) u.set(0, result);
  };

/** ST(1) ← f(ST(0), ST(1)), then pops: FYL2X, FYL2XP1, FPATAN. */
const binaryPop =
  (compute: (context: FloatContext, x: F80, y: F80) => F80) =>
  (u: X87Unit): void => {
    if (u.isEmpty(0) || u.isEmpty(1)) {
      if (!u.underflow()) return;
      u.set(1, indefinite);
    } else {
      const result = compute(u.context, u.get(0), u.get(1));
      if (isAborted(u.context)) return;
      u.set(1, result);
    }
    u.pop(1);
  };

function scale(u: X87Unit): void {
  if (u.isEmpty(0) || u.isEmpty(1)) {
    if (u.underflow()) u.set(0, indefinite);
    return;
  }
  const result = x87Scale(u.context, u.get(0), u.get(1));
  if (!isAborted(u.context)) u.set(0, result);
}

const { c0, c1, c2, c3 } = x87Condition;

const remainder =
  (isNearest: boolean) =>
  (u: X87Unit): void => {
    u.setConditions(c2, 0);
    if (u.isEmpty(0) || u.isEmpty(1)) {
      if (u.underflow()) u.set(0, indefinite);
      return;
    }
    const { value, conditions } = x87Remainder(u.context, u.get(0), u.get(1), isNearest);
    if (isAborted(u.context)) return;
    u.set(0, value);
    u.context.roundedUp = false;
    // Without a quotient, C0 and C3 stay.
    const hasQuotient = !isNaNKind(extended.unpack(value));
    if (hasQuotient) u.setConditions(c0 | c1 | c2 | c3, conditions);
  };

/** FXTRACT: the exponent replaces ST(0), the significand is pushed. */
function extract(u: X87Unit): void {
  if (u.isEmpty(0)) {
    if (!u.underflow()) return;
    u.set(0, indefinite);
    u.push(indefinite);
    return;
  }
  if (!u.isEmpty(7)) {
    if (!u.overflow()) return;
    u.set(0, indefinite);
    u.push(indefinite);
    return;
  }
  const { exponent, significand } = x87Extract(u.context, u.get(0));
  if (isAborted(u.context)) return;
  u.set(0, exponent);
  u.push(significand);
}

export const arithmetic = {
  add: binary(x87Add),
  multiply: binary(x87Multiply),
  subtract: binary(x87Subtract),
  'subtract-reverse': binary((context, a, b) => x87Subtract(context, b, a)),
  divide: binary(x87Divide),
  'divide-reverse': binary((context, a, b) => x87Divide(context, b, a)),
  'change-sign': unary((_context, a) => x87ChangeSign(a)),
  absolute: unary((_context, a) => x87Absolute(a)),
  'square-root': unary((context, a) => x87SquareRoot(context, extended.unpack(a))),
  round: unary(x87RoundToInteger),
  exponential: unary(x87ExpMinusOne),
  logarithm: binaryPop(x87YLog2X),
  'logarithm-plus-one': binaryPop(x87YLog2XPlusOne),
  arctangent: binaryPop(x87ArcTangent),
  scale,
  remainder: remainder(false),
  'remainder-nearest': remainder(true),
  extract,
} as const;
