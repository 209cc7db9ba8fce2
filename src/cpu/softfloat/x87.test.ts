import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clearOutcome, createContext, type FloatContext, isAborted, suppressesStore } from './context.ts';
import { binary32, binary64, extended, type F80 } from './format.ts';
import { relation } from './relation.ts';
import { unpackInteger } from './unpacked.ts';
import * as x87 from './x87-arithmetic.ts';
import * as convert from './x87-convert.ts';
import { x87ExpMinusOne, x87YLog2X, x87YLog2XPlusOne } from './x87-exponential.ts';
import { x87Remainder } from './x87-remainder.ts';
import { x87Constant, x87Extract, x87Scale } from './x87-scale.ts';
import { x87ArcTangent, x87Cosine, x87Sine, x87SineCosine, x87Tangent } from './x87-trigonometric.ts';

const invalid = 0x01;
const denormal = 0x02;
const zeroDivide = 0x04;
const overflow = 0x08;
const precision = 0x20;
const [c0, c1, c2, c3] = [0x100, 0x200, 0x400, 0x4000];

function f80(signExponent: number, significand: bigint): F80 {
  return { significand, signExponent };
}

const view = new DataView(new ArrayBuffer(8));

function of(value: number): F80 {
  view.setFloat64(0, value);
  return convert.x87Load(createContext(), binary64, view.getBigUint64(0));
}

function numberOf(value: F80): number {
  view.setBigUint64(0, convert.x87Store(createContext(), binary64, value));
  return view.getFloat64(0);
}

function given(settings: Partial<FloatContext>): FloatContext {
  return { ...createContext(), ...settings };
}

const indefinite = f80(0xffff, 0xc000_0000_0000_0000n);
const unnormal = f80(0x4000, 0x4000_0000_0000_0000n);
const pseudoInfinity = f80(0x7fff, 0n);
const one = of(1);

function add(c: FloatContext, a: F80, b: F80): F80 {
  return x87.x87Add(c, extended.unpack(a), extended.unpack(b));
}

describe('x87 arithmetic', () => {
  test('precision control shortens the significand, not the exponent', () => {
    const third = (width: 24 | 53 | 64): F80 => {
      const c = given({ precision: width });
      const result = x87.x87Divide(c, extended.unpack(one), unpackInteger(3n));
      assert.equal(c.flags, precision);
      assert.equal(c.roundedUp, width !== 53);
      return result;
    };
    assert.deepEqual(third(24), f80(0x3ffd, 0xaaaa_ab00_0000_0000n));
    assert.deepEqual(third(53), f80(0x3ffd, 0xaaaa_aaaa_aaaa_a800n));
    assert.deepEqual(third(64), f80(0x3ffd, 0xaaaa_aaaa_aaaa_aaabn));
    const big = f80(0x7000, 1n << 63n);
    assert.deepEqual(add(given({ precision: 24 }), big, big), f80(0x7001, 1n << 63n));
  });

  test('encodings the 8087 knew are invalid operands', () => {
    for (const operand of [unnormal, pseudoInfinity, f80(0xffff, 0x4000_0000_0000_0001n)]) {
      const c = createContext();
      assert.deepEqual(add(c, one, operand), indefinite);
      assert.equal(c.flags, invalid);
    }
  });

  test('a pseudo-denormal is the denormal exception and the number it looks like', () => {
    const c = createContext();
    assert.deepEqual(add(c, f80(0, 1n << 63n), f80(0, 0n)), f80(1, 1n << 63n));
    assert.equal(c.flags, denormal);
  });

  test('unmasked overflow delivers the exponent less 24576', () => {
    const largest = f80(0x7ffe, (1n << 64n) - 1n);
    const c = given({ masks: 0x3f & ~overflow });
    assert.deepEqual(add(c, largest, largest), f80(0x7fff - 24576, (1n << 64n) - 1n));
    assert.equal(c.flags, overflow);
    const masked = createContext();
    assert.deepEqual(add(masked, largest, largest), f80(0x7fff, 1n << 63n));
    assert.equal(masked.flags, overflow | precision);
    assert.equal(masked.roundedUp, true);
  });

  test('an unmasked denormal operand stops the operation', () => {
    const c = given({ masks: 0x3f & ~denormal });
    x87.x87Divide(c, extended.unpack(one), extended.unpack(f80(0, 3n)));
    assert.equal(c.flags, denormal);
    assert.equal(isAborted(c), true);
  });

  test('of two NaNs the larger significand wins, of SNaN and QNaN the QNaN', () => {
    const small = f80(0x7fff, 0xc000_0000_0000_0001n);
    const large = f80(0xffff, 0xc000_0000_0000_0002n);
    const signaling = f80(0x7fff, 0xbfff_ffff_ffff_ffffn);
    const c = createContext();
    assert.deepEqual(add(c, small, large), large);
    assert.deepEqual(add(c, large, small), large);
    assert.equal(c.flags, 0);
    assert.deepEqual(add(c, signaling, small), small);
    assert.deepEqual(add(c, signaling, one), f80(0x7fff, 0xffff_ffff_ffff_ffffn));
    assert.equal(c.flags, invalid);
  });

  test('a single-precision denormal operand of FADD m32 is #D though exact here', () => {
    const c = createContext();
    x87.x87Add(c, extended.unpack(one), binary32.unpack(1));
    assert.equal(c.flags, denormal | precision);
  });

  test('FCOM signals QNaNs, FUCOM does not', () => {
    const quiet = extended.unpack(indefinite);
    const c = createContext();
    assert.equal(x87.x87Compare(c, quiet, extended.unpack(one), true), relation.unordered);
    assert.equal(c.flags, 0);
    assert.equal(x87.x87Compare(c, quiet, extended.unpack(one), false), relation.unordered);
    assert.equal(c.flags, invalid);
    assert.equal(x87.x87Compare(c, extended.unpack(of(-3)), extended.unpack(of(-2)), false), relation.less);
  });

  test('FXAM', () => {
    const classes = [unnormal, f80(0xffff, 3n << 62n), of(-1), of(Infinity), of(-0), f80(0, 5n)].map(x87.x87Examine);
    assert.deepEqual(classes, [0, c0 | c1, c2 | c1, c2 | c0, c3 | c1, c3 | c2]);
  });
});

describe('x87 conversions', () => {
  test('FIST rounds, and overflows to the integer indefinite', () => {
    const c = createContext();
    assert.equal(convert.x87StoreInteger(c, of(2.5), 16), 2n);
    assert.equal(c.flags, precision);
    clearOutcome(c);
    assert.equal(convert.x87StoreInteger(c, of(-32768.25), 16), -32768n);
    assert.equal(convert.x87StoreInteger(c, of(-2.75), 32, 3), -2n);
    clearOutcome(c);
    assert.equal(convert.x87StoreInteger(c, of(32767.5), 16), -32768n);
    assert.equal(c.flags, invalid);
    assert.equal(suppressesStore(c), false);
    c.masks = 0;
    assert.equal(suppressesStore(c), true);
  });

  test('packed BCD', () => {
    const c = createContext();
    assert.equal(convert.x87StoreBcd(c, of(-1234567.75)), 0x8000_0000_0000_0123_4568n);
    assert.equal(c.flags, precision);
    assert.equal(numberOf(convert.x87LoadBcd(0x8000_0000_0000_0123_4568n)), -1234568);
    assert.deepEqual(convert.x87LoadBcd(0x8000_0000_0000_0000_0000n), of(-0));
    assert.equal(convert.x87StoreBcd(createContext(), of(1e18)), 0xffff_c000_0000_0000_0000n);
  });

  test('FST m32 of a number below the denormals', () => {
    const c = given({ rounding: 2 });
    assert.equal(convert.x87Store(c, binary32, f80(1, 1n << 63n)), 1);
    assert.equal(c.flags, 0x30);
    assert.equal(c.roundedUp, true);
  });

  test('FRNDINT keeps the sign of zero', () => {
    assert.deepEqual(convert.x87RoundToInteger(createContext(), of(-0.5)), of(-0));
    assert.deepEqual(convert.x87RoundToInteger(given({ rounding: 1 }), of(-0.5)), of(-1));
  });
});

describe('x87 remainder, scale, constants', () => {
  test('FPREM truncates, FPREM1 rounds; the quotient shows in C0, C3, C1', () => {
    const truncated = x87Remainder(createContext(), of(-23), of(4), false);
    assert.equal(numberOf(truncated.value), -3);
    assert.equal(truncated.conditions, c0 | c1);
    const nearest = x87Remainder(createContext(), of(-23), of(4), true);
    assert.equal(numberOf(nearest.value), 1);
    assert.equal(nearest.conditions, c0 | c3);
  });

  test('a far quotient needs several steps and ends at the exact remainder', () => {
    let value = of(1e300);
    let steps = 0;
    let conditions: number = c2;
    while ((conditions & c2) !== 0) {
      ({ value, conditions } = x87Remainder(createContext(), value, of(7), false));
      steps++;
      assert.ok(steps < 40);
    }
    assert.equal(numberOf(value), 1e300 % 7);
    assert.ok(steps > 15);
  });

  test('FSCALE truncates its scale; FXTRACT takes a number apart', () => {
    assert.equal(numberOf(x87Scale(createContext(), of(3), of(-2.9))), 0.75);
    const { exponent, significand } = x87Extract(createContext(), of(-20));
    assert.deepEqual([numberOf(exponent), numberOf(significand)], [4, -1.25]);
    const c = createContext();
    assert.equal(numberOf(x87Extract(c, of(0)).exponent), -Infinity);
    assert.equal(c.flags, zeroDivide);
  });

  test('constants follow rounding control', () => {
    const pi = [0, 1, 2, 3].map((rounding) => x87Constant('pi', rounding).significand & 0xfn);
    assert.deepEqual(pi, [5n, 4n, 5n, 4n]);
    assert.equal(numberOf(x87Constant('log10Of2', 0)), Math.log10(2));
    assert.equal(numberOf(x87Constant('lnOf2', 0)), Math.LN2);
    assert.equal(numberOf(x87Constant('log2OfE', 0)), Math.LOG2E);
    assert.equal(numberOf(x87Constant('log2Of10', 0)), Math.log2(10));
  });
});

describe('x87 transcendentals', () => {
  test('known values', () => {
    const c = createContext();
    assert.equal(numberOf(x87ExpMinusOne(c, of(0.5))), 0.41421356237309503);
    assert.equal(numberOf(x87YLog2X(c, of(10), of(1))), Math.log2(10));
    assert.equal(numberOf(x87YLog2X(c, of(8), of(-2))), -6);
    assert.equal(numberOf(x87YLog2XPlusOne(c, of(1e-20), x87Constant('lnOf2', 0))), 1e-20);
    assert.equal(numberOf(x87Sine(c, of(1)).value), 0.8414709848078965);
    assert.equal(numberOf(x87Cosine(c, of(1)).value), 0.5403023058681398);
    assert.equal(numberOf(x87Tangent(c, of(1)).value), 1.5574077246549023);
    assert.deepEqual(x87ArcTangent(c, of(-1), of(0)), x87Constant('pi', 0));
    assert.equal(numberOf(x87ArcTangent(c, of(-1), of(-1))), (-3 * Math.PI) / 4);
  });

  test('angles are reduced by the 66-bit pi, as hardware does', () => {
    // The true sine of this argument is 1.2246467991473532e-16.
    assert.equal(numberOf(x87Sine(createContext(), of(Math.PI)).value), 1.2246063538223773e-16);
    // pi rounded to 64 bits exceeds that of 66 bits by exactly 2^-64.
    assert.equal(numberOf(x87Sine(createContext(), x87Constant('pi', 0)).value), -(2 ** -64));
  });

  test('angles from 2^63 on are refused unchanged', () => {
    const far = of(2 ** 63);
    assert.deepEqual(x87Sine(createContext(), far), { value: far, isOutOfRange: true });
    assert.equal(x87SineCosine(createContext(), of(2 ** 62)).isOutOfRange, false);
  });

  test('invalid and infinite results', () => {
    const c = createContext();
    assert.deepEqual(x87Sine(c, of(Infinity)).value, indefinite);
    assert.equal(c.flags, invalid);
    clearOutcome(c);
    assert.equal(numberOf(x87YLog2X(c, of(0), of(2))), -Infinity);
    assert.equal(c.flags, zeroDivide);
    clearOutcome(c);
    assert.deepEqual(x87YLog2X(c, of(-2), of(2)), indefinite);
    assert.equal(c.flags, invalid);
  });
});
