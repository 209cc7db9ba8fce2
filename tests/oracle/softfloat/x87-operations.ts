/** What the library says each x87 operation of the harness does, in the harness's terms. */

import type { FloatContext } from '../../../src/cpu/softfloat/context.ts';
import { binary32, binary64, extended, type F80 } from '../../../src/cpu/softfloat/format.ts';
import { type Relation, relation } from '../../../src/cpu/softfloat/relation.ts';
import { type Unpacked, unpackInteger, zero } from '../../../src/cpu/softfloat/unpacked.ts';
import * as arithmetic from '../../../src/cpu/softfloat/x87-arithmetic.ts';
import * as convert from '../../../src/cpu/softfloat/x87-convert.ts';
import { x87Remainder } from '../../../src/cpu/softfloat/x87-remainder.ts';
import { type ConstantName, x87Constant, x87Extract, x87Scale } from '../../../src/cpu/softfloat/x87-scale.ts';
import * as operands from './operands.ts';
import { f80OfImage, type Image, imageOfF80 } from './records.ts';

/** What a reply must hold; absent parts are not compared. */
export interface X87Prediction {
  readonly st0?: F80;
  readonly st1?: F80;
  readonly memory?: Image;
  /** C0…C3 where the operation defines them; `status` tells which the SDM defines. */
  readonly conditions?: number;
}

export interface X87Operation {
  readonly name: string;
  operands(random: operands.Random): readonly [Image, Image];
  predict(context: FloatContext, a: Image, b: Image): X87Prediction;
  /** Results may differ from the CPU's by this many units in the last place. */
  readonly tolerance?: number;
}

type Random = operands.Random;
type Generator = (random: Random) => F80;

export const c0 = 0x100;
export const c1 = 0x200;
export const c2 = 0x400;
export const c3 = 0x4000;

const registerPair: X87Operation['operands'] = (random) => {
  const a = operands.randomF80(random);
  return [imageOfF80(a), imageOfF80(operands.partnerF80(random, a))];
};

const registers = (generate: Generator): X87Operation['operands'] => {
  return (random) => [imageOfF80(generate(random)), 0n];
};

const unpack = (image: Image): Unpacked => extended.unpack(f80OfImage(image));

type Binary = (context: FloatContext, a: Unpacked, b: Unpacked) => F80;

/** Two register operands, `swap` for the reversed forms. */
function binary(name: string, run: Binary, swap = false): X87Operation {
  const predict = (context: FloatContext, a: Image, b: Image): X87Prediction => ({
    st0: swap ? run(context, unpack(b), unpack(a)) : run(context, unpack(a), unpack(b)),
  });
  return { name, operands: registerPair, predict };
}

/** The forms of a memory operand: how it is made and what it means. */
interface MemoryForm {
  random(random: Random): Image;
  unpack(image: Image): Unpacked;
}

const m32: MemoryForm = {
  random: (random) => BigInt(operands.randomF32(random)),
  unpack: (image) => binary32.unpack(Number(image)),
};
const m64: MemoryForm = { random: operands.randomF64, unpack: (image) => binary64.unpack(image) };
const integer = (width: number): MemoryForm => ({
  random: (random) => BigInt.asUintN(width, operands.randomInteger(random, width)),
  unpack: (image) => unpackInteger(BigInt.asIntN(width, image)),
});

function withMemory(form: MemoryForm): X87Operation['operands'] {
  return (random) => [imageOfF80(operands.randomF80(random)), form.random(random)];
}

function memoryBinary(name: string, form: MemoryForm, run: Binary): X87Operation {
  const predict = (context: FloatContext, a: Image, b: Image): X87Prediction => ({
    st0: run(context, unpack(a), form.unpack(b)),
  });
  return { name, operands: withMemory(form), predict };
}

/** SDM Vol. 2A tables 3-22 (FCOM) and 3-23 (FCOMI). */
const conditionsOf = {
  [relation.less]: c0,
  [relation.equal]: c3,
  [relation.greater]: 0,
  [relation.unordered]: c0 | c2 | c3,
} as const;
const lahfOf = {
  [relation.less]: 0x03n,
  [relation.equal]: 0x42n,
  [relation.greater]: 0x02n,
  [relation.unordered]: 0x47n,
} as const;

function compare(name: string, form: MemoryForm | 'register' | 'zero', isQuiet: boolean): X87Operation {
  const toFlags = name.endsWith('i');
  const predict = (context: FloatContext, a: Image, b: Image): X87Prediction => {
    const second = form === 'zero' ? zero(0) : form === 'register' ? unpack(b) : form.unpack(b);
    const found: Relation = arithmetic.x87Compare(context, unpack(a), second, isQuiet);
    return toFlags ? { memory: lahfOf[found] } : { conditions: conditionsOf[found] };
  };
  const operandsOf = form === 'register' || form === 'zero' ? registerPair : withMemory(form);
  return { name, operands: operandsOf, predict };
}

function unary(name: string, run: (context: FloatContext, a: F80) => F80, generate: Generator): X87Operation {
  const predict = (context: FloatContext, a: Image): X87Prediction => ({ st0: run(context, f80OfImage(a)) });
  return { name, operands: registers(generate), predict };
}

const anyOrIntegral: Generator = (random) =>
  random.below(2) === 0 ? operands.randomF80(random) : operands.integralF80(random);

/** Spread over the exponents of the memory formats, where FST rounds, overflows and underflows. */
const storable: Generator = (random) => {
  switch (random.below(4)) {
    case 0:
      return operands.randomF80(random);
    case 1:
      return operands.f80Between(random, 120, 130);
    case 2:
      return operands.f80Between(random, 1015, 1030);
    default:
      return random.below(2) === 0
        ? operands.f80Between(random, -155, -120)
        : operands.f80Between(random, -1080, -1015);
  }
};

function storeInteger(name: string, width: number, truncates: boolean): X87Operation {
  const predict = (context: FloatContext, a: Image): X87Prediction => {
    const value = convert.x87StoreInteger(context, f80OfImage(a), width, truncates ? 3 : context.rounding);
    return { memory: BigInt.asUintN(width, value) };
  };
  return { name, operands: registers(anyOrIntegral), predict };
}

function loadInteger(name: string, width: number): X87Operation {
  return {
    name,
    operands: (random) => [BigInt.asUintN(width, operands.randomInteger(random, width)), 0n],
    predict: (_, a) => ({ st0: convert.x87LoadInteger(BigInt.asIntN(width, a)) }),
  };
}

function constant(mnemonic: string, name: ConstantName): X87Operation {
  return {
    name: mnemonic,
    operands: () => [0n, 0n],
    predict: (context) => ({ st0: x87Constant(name, context.rounding) }),
  };
}

function remainder(name: string, isNearest: boolean): X87Operation {
  return {
    name,
    operands: registerPair,
    predict: (context, a, b) => {
      const { value, conditions } = x87Remainder(context, f80OfImage(a), f80OfImage(b), isNearest);
      return { st0: value, conditions };
    },
  };
}

function randomBcd(random: Random): Image {
  let image = BigInt(random.below(2)) << 79n;
  const digits = random.below(19);
  for (let digit = 0; digit < digits; digit++) image |= BigInt(random.below(10)) << BigInt(4 * digit);
  return image;
}

const scaleOperands: X87Operation['operands'] = (random) => {
  if (random.below(3) === 0) return registerPair(random);
  const scale = random.below(2) === 0 ? operands.f80Between(random, -1, 17) : operands.integralF80(random);
  return [imageOfF80(operands.randomF80(random)), imageOfF80(scale)];
};

export const x87Operations: readonly X87Operation[] = [
  binary('fadd', arithmetic.x87Add),
  binary('fsub', arithmetic.x87Subtract),
  binary('fsubr', arithmetic.x87Subtract, true),
  binary('fmul', arithmetic.x87Multiply),
  binary('fdiv', arithmetic.x87Divide),
  binary('fdivr', arithmetic.x87Divide, true),
  memoryBinary('fadd_m32', m32, arithmetic.x87Add),
  memoryBinary('fadd_m64', m64, arithmetic.x87Add),
  memoryBinary('fmul_m32', m32, arithmetic.x87Multiply),
  memoryBinary('fmul_m64', m64, arithmetic.x87Multiply),
  memoryBinary('fdiv_m64', m64, arithmetic.x87Divide),
  memoryBinary('fisub_m16', integer(16), arithmetic.x87Subtract),
  memoryBinary('fidiv_m32', integer(32), arithmetic.x87Divide),
  compare('fcom', 'register', false),
  compare('fucom', 'register', true),
  compare('fcomi', 'register', false),
  compare('fucomi', 'register', true),
  compare('fcom_m32', m32, false),
  compare('fcom_m64', m64, false),
  compare('ficom_m32', integer(32), false),
  compare('ftst', 'zero', false),
  remainder('fprem', false),
  remainder('fprem1', true),
  {
    name: 'fscale',
    operands: scaleOperands,
    predict: (context, a, b) => ({ st0: x87Scale(context, f80OfImage(a), f80OfImage(b)) }),
  },
  unary('fsqrt', (context, a) => arithmetic.x87SquareRoot(context, extended.unpack(a)), operands.randomF80),
  {
    name: 'fxam',
    operands: registers(operands.randomF80),
    predict: (_, a) => ({ conditions: arithmetic.x87Examine(f80OfImage(a)) }),
  },
  unary('fabs', (_, a) => arithmetic.x87Absolute(a), operands.randomF80),
  unary('fchs', (_, a) => arithmetic.x87ChangeSign(a), operands.randomF80),
  {
    name: 'fxtract',
    operands: registers(operands.randomF80),
    predict: (context, a) => {
      const { exponent, significand } = x87Extract(context, f80OfImage(a));
      return { st0: significand, st1: exponent };
    },
  },
  unary('frndint', convert.x87RoundToInteger, anyOrIntegral),
  {
    name: 'fst_m32',
    operands: registers(storable),
    predict: (context, a) => ({ memory: BigInt(convert.x87Store(context, binary32, f80OfImage(a))) }),
  },
  {
    name: 'fst_m64',
    operands: registers(storable),
    predict: (context, a) => ({ memory: convert.x87Store(context, binary64, f80OfImage(a)) }),
  },
  storeInteger('fist_m16', 16, false),
  storeInteger('fist_m32', 32, false),
  storeInteger('fistp_m64', 64, false),
  storeInteger('fisttp_m16', 16, true),
  storeInteger('fisttp_m32', 32, true),
  storeInteger('fisttp_m64', 64, true),
  {
    name: 'fbstp',
    operands: registers(anyOrIntegral),
    predict: (context, a) => ({ memory: convert.x87StoreBcd(context, f80OfImage(a)) }),
  },
  {
    name: 'fld_m32',
    operands: (random) => [m32.random(random), 0n],
    predict: (context, a) => ({ st0: convert.x87Load(context, binary32, Number(a)) }),
  },
  {
    name: 'fld_m64',
    operands: (random) => [m64.random(random), 0n],
    predict: (context, a) => ({ st0: convert.x87Load(context, binary64, a) }),
  },
  loadInteger('fild_m16', 16),
  loadInteger('fild_m32', 32),
  loadInteger('fild_m64', 64),
  {
    name: 'fbld',
    operands: (random) => [randomBcd(random), 0n],
    predict: (_, a) => ({ st0: convert.x87LoadBcd(a) }),
  },
  constant('fldz', 'zero'),
  constant('fld1', 'one'),
  constant('fldl2t', 'log2Of10'),
  constant('fldl2e', 'log2OfE'),
  constant('fldpi', 'pi'),
  constant('fldlg2', 'log10Of2'),
  constant('fldln2', 'lnOf2'),
];
