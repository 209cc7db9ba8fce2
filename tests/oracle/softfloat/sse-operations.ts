/** What the library says each SSE operation of the harness does, in the harness's terms. */

import type { FloatContext } from '../../../src/cpu/softfloat/context.ts';
import { binary32, binary64, type Format } from '../../../src/cpu/softfloat/format.ts';
import { relation } from '../../../src/cpu/softfloat/relation.ts';
import * as sse from '../../../src/cpu/softfloat/sse.ts';
import * as convert from '../../../src/cpu/softfloat/sse-convert.ts';
import { partnerF32, partnerF64, type Random, randomF32, randomF64, randomInteger } from './operands.ts';
import type { Image } from './records.ts';

/** The destination an operation writes; the rest of a reply is not compared. */
interface SsePrediction {
  readonly r0?: Image;
  readonly memory?: Image;
}

export interface SseOperation {
  readonly name: string;
  /** Bits of `r0` the operation writes. */
  readonly width: number;
  operands(random: Random): readonly [Image, Image];
  predict(context: FloatContext, a: Image, b: Image): SsePrediction;
}

/** A format with its conversions to and from 128-bit images and its generators. */
interface Lane<T> {
  readonly suffix: string;
  readonly width: number;
  readonly format: Format<T>;
  of(image: Image): T;
  image(value: T): Image;
  random(random: Random): T;
  partner(random: Random, value: T): T;
}

const single: Lane<number> = {
  suffix: 'ss',
  width: 32,
  format: binary32,
  of: (image) => Number(BigInt.asUintN(32, image)),
  image: BigInt,
  random: randomF32,
  partner: partnerF32,
};

const double: Lane<bigint> = {
  suffix: 'sd',
  width: 64,
  format: binary64,
  of: (image) => BigInt.asUintN(64, image),
  image: (value) => value,
  random: randomF64,
  partner: partnerF64,
};

function pair<T>(lane: Lane<T>): SseOperation['operands'] {
  return (random) => {
    const a = lane.random(random);
    return [lane.image(a), lane.image(lane.partner(random, a))];
  };
}

/** ZF, PF, CF of COMISS as LAHF delivers them (bit 1 is always set). SDM Vol. 2A "COMISS". */
const lahfOfRelation = {
  [relation.less]: 0x03n,
  [relation.equal]: 0x42n,
  [relation.greater]: 0x02n,
  [relation.unordered]: 0x47n,
} as const;

function laneOperations<T>(lane: Lane<T>): SseOperation[] {
  const { format, suffix, width } = lane;
  const operands = pair(lane);
  const binary = (name: string, run: (context: FloatContext, format: Format<T>, a: T, b: T) => T): SseOperation => ({
    name: name + suffix,
    width,
    operands,
    predict: (context, a, b) => ({ r0: lane.image(run(context, format, lane.of(a), lane.of(b))) }),
  });
  const compare = (name: string, isSignaling: boolean): SseOperation => ({
    name: name + suffix,
    width,
    operands,
    predict: (context, a, b) => ({
      memory: lahfOfRelation[sse.sseCompare(context, format, lane.of(a), lane.of(b), isSignaling)],
    }),
  });
  const operations = [
    binary('add', sse.sseAdd),
    binary('sub', sse.sseSubtract),
    binary('mul', sse.sseMultiply),
    binary('div', sse.sseDivide),
    binary('min', sse.sseMin),
    binary('max', sse.sseMax),
    binary('sqrt', (context, f, a) => sse.sseSquareRoot(context, f, a)),
    compare('comi', true),
    compare('ucomi', false),
  ];
  for (let immediate = 0; immediate < 8; immediate++) {
    const name = `cmp${suffix}${immediate}`;
    const predict = (context: FloatContext, a: Image, b: Image): SsePrediction => {
      const holds = sse.ssePredicate(context, format, lane.of(a), lane.of(b), immediate);
      return { r0: holds ? (1n << BigInt(width)) - 1n : 0n };
    };
    operations.push({ name, width, operands, predict });
  }
  for (const immediate of [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12]) {
    const name = `round${suffix}${immediate}`;
    const predict = (context: FloatContext, a: Image): SsePrediction => ({
      r0: lane.image(convert.sseRoundToIntegral(context, format, lane.of(a), immediate)),
    });
    operations.push({ name, width, operands, predict });
  }
  return [...operations, ...integerConversions(lane)];
}

function integerConversions<T>(lane: Lane<T>): SseOperation[] {
  const operations: SseOperation[] = [];
  for (const integerWidth of [32, 64]) {
    operations.push({
      name: `cvtsi2${lane.suffix}${integerWidth}`,
      width: lane.width,
      operands: (random) => [BigInt.asUintN(64, randomInteger(random, integerWidth)), 0n],
      predict: (context, a) => ({
        r0: lane.image(convert.sseFromInteger(context, lane.format, BigInt.asIntN(integerWidth, a))),
      }),
    });
    for (const truncates of [false, true]) {
      operations.push({
        name: `cvt${truncates ? 't' : ''}${lane.suffix}2si${integerWidth}`,
        width: lane.width,
        operands: pair(lane),
        predict: (context, a) => {
          const rounding = truncates ? 3 : context.rounding;
          const value = convert.sseToInteger(context, lane.format, lane.of(a), integerWidth, rounding);
          return { memory: BigInt.asUintN(integerWidth, value) };
        },
      });
    }
  }
  return operations;
}

export const sseOperations: readonly SseOperation[] = [
  ...laneOperations(single),
  ...laneOperations(double),
  {
    name: 'cvtss2sd',
    width: 64,
    operands: pair(single),
    predict: (context, a) => ({ r0: convert.sseConvert(context, binary32, binary64, single.of(a)) }),
  },
  {
    name: 'cvtsd2ss',
    width: 32,
    operands: pair(double),
    predict: (context, a) => ({ r0: BigInt(convert.sseConvert(context, binary64, binary32, double.of(a))) }),
  },
];
