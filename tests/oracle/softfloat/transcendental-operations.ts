/** What the library says each transcendental of the harness does; operands near and far. */

import type { FloatContext } from '../../../src/cpu/softfloat/context.ts';
import { extended, type F80 } from '../../../src/cpu/softfloat/format.ts';
import { kind } from '../../../src/cpu/softfloat/unpacked.ts';
import * as exponential from '../../../src/cpu/softfloat/x87-exponential.ts';
import { x87Constant } from '../../../src/cpu/softfloat/x87-scale.ts';
import * as trigonometric from '../../../src/cpu/softfloat/x87-trigonometric.ts';
import * as operands from './operands.ts';
import { f80OfImage, type Image, imageOfF80 } from './records.ts';
import { c2, type X87Operation, type X87Prediction } from './x87-operations.ts';

type Random = operands.Random;
type Generator = (random: Random) => F80;

const one = x87Constant('one', 0);

const near: Generator = (random) => {
  switch (random.below(8)) {
    case 0:
    case 1:
      return operands.randomF80(random);
    case 2:
      return operands.f80Between(random, -80, 62);
    case 3:
      return operands.f80Between(random, -16382, -60);
    default:
      return operands.f80Between(random, -8, 3);
  }
};

/** Close to 1, where the logarithm cancels. */
const aroundOne: Generator = (random) => {
  const distance = operands.fraction(random, 1 + random.below(62));
  return random.below(2) === 0
    ? { significand: (1n << 63n) + distance, signExponent: 16383 }
    : { significand: (1n << 64n) - 1n - distance, signExponent: 16382 };
};

/** Close to a multiple of pi/2, where the sine or cosine cancels. */
const aroundMultipleOfPi: Generator = (random) => {
  const bits = 1 + random.below(40);
  const multiple =
    (BigInt(1 + random.below(2 ** Math.min(bits, 31))) << BigInt(random.below(20))) * 0xc90fdaa22168c235n;
  const length = multiple.toString(2).length;
  const significand = length > 64 ? multiple >> BigInt(length - 64) : multiple << BigInt(64 - length);
  const exponent = length - 64;
  return {
    significand: BigInt.asUintN(64, significand + BigInt(random.below(5) - 2)) | (1n << 63n),
    signExponent: (random.below(2) << 15) | (exponent + 16383),
  };
};

const angle: Generator = (random) => (random.below(4) === 0 ? aroundMultipleOfPi(random) : near(random));

const positive: Generator = (random) => {
  if (random.below(4) === 0) return aroundOne(random);
  const value = near(random);
  return random.below(8) === 0 ? value : { ...value, signExponent: value.signExponent & 0x7fff };
};

function pairOf(first: Generator, second: Generator): X87Operation['operands'] {
  return (random) => [imageOfF80(first(random)), imageOfF80(second(random))];
}

const tolerance = 1;

function twoOperands(
  name: string,
  operandsOf: X87Operation['operands'],
  run: (context: FloatContext, x: F80, y: F80) => F80,
): X87Operation {
  const predict = (context: FloatContext, a: Image, b: Image): X87Prediction => ({
    st0: run(context, f80OfImage(a), f80OfImage(b)),
  });
  return { name, operands: operandsOf, predict, tolerance };
}

function angular(
  name: string,
  run: (context: FloatContext, a: F80) => trigonometric.AngleResult,
  pushes: (value: F80) => F80 | undefined = () => undefined,
): X87Operation {
  const predict = (context: FloatContext, a: Image): X87Prediction => {
    const { value, isOutOfRange } = run(context, f80OfImage(a));
    const pushed = isOutOfRange ? undefined : pushes(value);
    const conditions = isOutOfRange ? c2 : 0;
    return pushed === undefined ? { st0: value, conditions } : { st0: pushed, st1: value, conditions };
  };
  return { name, operands: pairOf(angle, angle), predict, tolerance };
}

/** FPTAN pushes 1.0, or the NaN once more. */
function companion(value: F80): F80 {
  return extended.unpack(value).kind >= kind.quietNaN ? value : one;
}

export const transcendentalOperations: readonly X87Operation[] = [
  {
    name: 'f2xm1',
    operands: pairOf(near, near),
    predict: (context, a) => ({ st0: exponential.x87ExpMinusOne(context, f80OfImage(a)) }),
    tolerance,
  },
  twoOperands('fyl2x', pairOf(positive, near), exponential.x87YLog2X),
  twoOperands('fyl2xp1', pairOf(near, near), exponential.x87YLog2XPlusOne),
  twoOperands('fpatan', pairOf(near, near), trigonometric.x87ArcTangent),
  angular('fsin', trigonometric.x87Sine),
  angular('fcos', trigonometric.x87Cosine),
  angular('fptan', trigonometric.x87Tangent, companion),
  {
    name: 'fsincos',
    operands: pairOf(angle, angle),
    predict: (context, a) => {
      const { sine, cosine, isOutOfRange } = trigonometric.x87SineCosine(context, f80OfImage(a));
      return isOutOfRange ? { st0: sine, conditions: c2 } : { st0: cosine, st1: sine, conditions: 0 };
    },
    tolerance,
  },
];
