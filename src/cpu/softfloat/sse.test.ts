import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clearOutcome, createContext, type FloatContext, mergePackedFlags } from './context.ts';
import { binary32, binary64 } from './format.ts';
import { relation } from './relation.ts';
import * as sse from './sse.ts';
import { sseConvert, sseFromInteger, sseRoundToIntegral, sseToInteger } from './sse-convert.ts';

const view = new DataView(new ArrayBuffer(8));

function bits64(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function number64(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function bits32(value: number): number {
  view.setFloat32(0, value);
  return view.getUint32(0);
}

function number32(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

const invalid = 0x01;
const denormal = 0x02;
const zeroDivide = 0x04;
const overflow = 0x08;
const underflow = 0x10;
const precision = 0x20;

function given(settings: Partial<FloatContext>): FloatContext {
  return { ...createContext(), ...settings };
}

const samples = [
  0,
  -0,
  1,
  -1,
  3,
  0.1,
  1 / 3,
  -7.25,
  1e300,
  -1e-300,
  2 ** -1074,
  2 ** -1022,
  1.5 * 2 ** -1030,
  2 ** 1023 * 1.75,
  2 ** 53,
  2 ** 53 + 2,
  Math.PI,
  Number.MAX_VALUE,
  Infinity,
  -Infinity,
] as const;

describe('SSE arithmetic under nearest-even is IEEE 754 arithmetic', () => {
  for (const a of samples) {
    test(`binary64 with ${a}`, () => {
      for (const b of samples) {
        const c = createContext();
        const [x, y] = [bits64(a), bits64(b)];
        assert.deepEqual(number64(sse.sseAdd(c, binary64, x, y)), a + b);
        assert.deepEqual(number64(sse.sseSubtract(c, binary64, x, y)), a - b);
        assert.deepEqual(number64(sse.sseMultiply(c, binary64, x, y)), a * b);
        assert.deepEqual(number64(sse.sseDivide(c, binary64, x, y)), a / b);
      }
      assert.deepEqual(number64(sse.sseSquareRoot(createContext(), binary64, bits64(a))), Math.sqrt(a));
      assert.deepEqual(number32(sseConvert(createContext(), binary64, binary32, bits64(a))), Math.fround(a));
    });
  }
  test('binary32', () => {
    for (const a of samples.map(Math.fround)) {
      for (const b of samples.map(Math.fround)) {
        const c = createContext();
        const [x, y] = [bits32(a), bits32(b)];
        assert.deepEqual(number32(sse.sseAdd(c, binary32, x, y)), Math.fround(a + b));
        assert.deepEqual(number32(sse.sseMultiply(c, binary32, x, y)), Math.fround(a * b));
        assert.deepEqual(number32(sse.sseDivide(c, binary32, x, y)), Math.fround(a / b));
      }
    }
  });
});

describe('SSE exceptions', () => {
  test('rounding modes bracket 1/3 and only the inexact flag is raised', () => {
    const divide = (rounding: 0 | 1 | 2 | 3, dividend: number): number => {
      const c = given({ rounding });
      const quotient = number64(sse.sseDivide(c, binary64, bits64(dividend), bits64(3)));
      assert.equal(c.flags, precision);
      return quotient;
    };
    const below = 0.3333333333333333;
    const above = 0.33333333333333337;
    assert.deepEqual(
      [0, 1, 2, 3].map((mode) => divide(mode as 0, 1)),
      [below, below, above, below],
    );
    assert.deepEqual(
      [0, 1, 2, 3].map((mode) => divide(mode as 0, -1)),
      [-below, -above, -below, -below],
    );
  });

  test('tininess is detected after rounding', () => {
    // Fits 53 bits, so it is tiny although it rounds up to the smallest normal number.
    const almost = given({});
    assert.equal(sse.sseMultiply(almost, binary64, bits64(2 ** -1022), bits64(1 - 2 ** -53)), bits64(2 ** -1022));
    assert.equal(almost.flags, underflow | precision);
    // Rounds up to 2^-126 already in 24 bits with unbounded exponent: not tiny.
    const narrow = given({});
    sseConvert(narrow, binary64, binary32, bits64((1 - 2 ** -26) * 2 ** -126));
    assert.equal(narrow.flags, precision);
    const exact = given({});
    sse.sseMultiply(exact, binary64, bits64(2 ** -1022), bits64(0.5));
    assert.equal(exact.flags, 0);
    const unmasked = given({ masks: 0x3f & ~underflow });
    sse.sseMultiply(unmasked, binary64, bits64(2 ** -1022), bits64(0.5));
    assert.equal(unmasked.flags, underflow);
  });

  test('overflow becomes infinity or the largest number by rounding mode', () => {
    const doubled = (rounding: 0 | 1 | 2 | 3): number => {
      const c = given({ rounding });
      const result = number64(sse.sseAdd(c, binary64, bits64(Number.MAX_VALUE), bits64(Number.MAX_VALUE)));
      assert.equal(c.flags, overflow | precision);
      return result;
    };
    assert.deepEqual(
      [0, 1, 2, 3].map((mode) => doubled(mode as 0)),
      [Infinity, Number.MAX_VALUE, Infinity, Number.MAX_VALUE],
    );
  });

  test('DAZ reads denormals as zeros without #D, FTZ writes them as zeros', () => {
    const tiny = bits64(2 ** -1074);
    const plain = given({});
    assert.equal(sse.sseAdd(plain, binary64, tiny, bits64(0)), tiny);
    assert.equal(plain.flags, denormal);
    const daz = given({ daz: true });
    assert.equal(sse.sseAdd(daz, binary64, tiny, bits64(-0)), bits64(0));
    assert.equal(daz.flags, 0);
    const ftz = given({ ftz: true });
    assert.equal(sse.sseMultiply(ftz, binary64, bits64(-(2 ** -1022)), bits64(0.5)), bits64(-0));
    assert.equal(ftz.flags, underflow | precision);
  });

  test('invalid operations give the QNaN indefinite', () => {
    for (const operate of [
      (c: FloatContext) => sse.sseSubtract(c, binary32, 0x7f80_0000, 0x7f80_0000),
      (c: FloatContext) => sse.sseMultiply(c, binary32, 0, 0xff80_0000),
      (c: FloatContext) => sse.sseDivide(c, binary32, 0x8000_0000, 0),
      (c: FloatContext) => sse.sseSquareRoot(c, binary32, bits32(-1)),
    ]) {
      const c = createContext();
      assert.equal(operate(c), 0xffc0_0000);
      assert.equal(c.flags, invalid);
    }
  });

  test('division by zero', () => {
    const c = createContext();
    assert.equal(sse.sseDivide(c, binary32, bits32(-1), 0), 0xff80_0000);
    assert.equal(c.flags, zeroDivide);
  });

  test('an element with an unmasked #D leaves no later flags in the packed result', () => {
    const masks = 0x3f & ~denormal;
    assert.equal(mergePackedFlags([precision | overflow, denormal], masks), denormal);
    assert.equal(mergePackedFlags([precision | overflow, denormal], 0x3f), precision | overflow | denormal);
  });
});

describe('SSE NaNs', () => {
  const quiet = 0x7fc0_1234;
  const signaling = 0xff80_0001;

  test('the first NaN operand wins and is quieted', () => {
    const c = createContext();
    assert.equal(sse.sseAdd(c, binary32, quiet, 0xffc0_0777), quiet);
    assert.equal(c.flags, 0);
    assert.equal(sse.sseAdd(c, binary32, bits32(1), signaling), 0xffc0_0001);
    assert.equal(c.flags, invalid);
    assert.equal(sse.sseMultiply(c, binary32, signaling, quiet), 0xffc0_0001);
  });

  test('MIN and MAX return the second operand for NaNs and equal zeros, unquieted', () => {
    const c = createContext();
    assert.equal(sse.sseMin(c, binary32, bits32(1), signaling), signaling);
    assert.equal(c.flags, invalid);
    assert.equal(sse.sseMax(c, binary32, quiet, bits32(1)), bits32(1));
    assert.equal(sse.sseMin(c, binary32, 0, 0x8000_0000), 0x8000_0000);
    assert.equal(sse.sseMax(c, binary32, bits32(2), bits32(1)), bits32(2));
  });

  test('COMISS signals a QNaN, UCOMISS does not', () => {
    const c = createContext();
    assert.equal(sse.sseCompare(c, binary32, quiet, 0, false), relation.unordered);
    assert.equal(c.flags, 0);
    assert.equal(sse.sseCompare(c, binary32, quiet, 0, true), relation.unordered);
    assert.equal(c.flags, invalid);
    assert.equal(sse.sseCompare(c, binary32, 0, 0x8000_0000, false), relation.equal);
  });

  test('predicates 0…7 over less, equal, greater, unordered', () => {
    const pairs = [
      [1, 2],
      [1, 1],
      [2, 1],
      [NaN, 1],
    ] as const;
    const table = pairs.map(([a, b]) =>
      [0, 1, 2, 3, 4, 5, 6, 7]
        .map((i) => (sse.ssePredicate(createContext(), binary64, bits64(a), bits64(b), i) ? 1 : 0))
        .join(''),
    );
    assert.deepEqual(table, ['01101001', '10100101', '00001111', '00011110']);
  });
});

describe('SSE conversions', () => {
  test('to integers: rounding, truncation, indefinite', () => {
    const c = createContext();
    assert.equal(sseToInteger(c, binary64, bits64(2.5), 32), 2n);
    assert.equal(sseToInteger(c, binary64, bits64(-2.75), 32), -3n);
    assert.equal(sseToInteger(c, binary64, bits64(-2.75), 32, 3), -2n);
    assert.equal(c.flags, precision);
    clearOutcome(c);
    assert.equal(sseToInteger(c, binary64, bits64(-2147483648.5), 32), -2147483648n);
    assert.equal(c.flags, precision);
    clearOutcome(c);
    for (const value of [2147483647.5, 1e40, -Infinity, NaN]) {
      assert.equal(sseToInteger(c, binary64, bits64(value), 32), -2147483648n);
      assert.equal(c.flags, invalid);
    }
    assert.equal(sseToInteger(createContext(), binary64, bits64(-(2 ** 63)), 64), -(2n ** 63n));
  });

  test('from integers', () => {
    const c = createContext();
    assert.equal(number32(sseFromInteger(c, binary32, -16777217n)), -16777216);
    assert.equal(c.flags, precision);
    assert.equal(number64(sseFromInteger(c, binary64, 2n ** 63n - 1n)), 2 ** 63);
    assert.equal(sseFromInteger(createContext(), binary64, 0n), 0n);
  });

  test('ROUNDSD: every mode, MXCSR mode, inexact suppression', () => {
    const rounded = (value: number, immediate: number, flags: number): number => {
      const c = given({ rounding: 2 });
      const result = number64(sseRoundToIntegral(c, binary64, bits64(value), immediate));
      assert.equal(c.flags, flags);
      return result;
    };
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((immediate) => rounded(-2.5, immediate, precision)),
      [-2, -3, -2, -2, -2],
    );
    assert.equal(rounded(0.25, 4, precision), 1);
    assert.equal(rounded(0.25, 8, 0), 0);
    assert.equal(rounded(-0.25, 10, 0), -0);
    assert.equal(rounded(2 ** 60, 0, 0), 2 ** 60);
  });
});
