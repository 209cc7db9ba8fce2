import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vectorProgram } from './testing/vector-machine.ts';

const view = new DataView(new ArrayBuffer(8));

function bits64(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function bits32(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

const upper = 0x1111_2222_3333_4444n << 64n;
/** All exceptions masked, rounding to nearest; `sticky`: PE is already set. */
const masked = 0x1f80;
const sticky = 0x1fa0;

const add = vectorProgram('ADDSD', 'Vq,Wq');
const multiply = vectorProgram('MULSD', 'Vq,Wq');
const divide = vectorProgram('DIVSD', 'Vq,Wq');

test('ordinary arithmetic with PE set is done in place and changes no flag', () => {
  const numbers = [0, -0, 1, -1.5, 1 / 3, Math.PI, 1e300, -1e-300, 2 ** -1022, 123456789];
  for (const a of numbers) {
    for (const b of numbers) {
      for (const [run, result] of [
        [add, a + b],
        [multiply, a * b],
        [divide, a / b],
      ] as const) {
        const end = run({ reg: upper | bits64(a), rm: bits64(b), mxcsr: sticky });
        if (end.hostCalls > 0) continue;
        assert.equal(end.xmmReg, upper | bits64(result));
        assert.equal(end.mxcsr, sticky);
      }
    }
  }
  assert.equal(add({ reg: bits64(1 / 3), rm: bits64(0), mxcsr: sticky }).hostCalls, 0);
  assert.equal(multiply({ reg: bits64(1 / 3), rm: bits64(-0), mxcsr: sticky }).hostCalls, 0);
  assert.equal(divide({ reg: bits64(0), rm: bits64(-3), mxcsr: sticky }).hostCalls, 0);
});

test('whatever may set another flag, or round otherwise, takes the slow path', () => {
  const slow = (run: typeof add, a: number, b: number, mxcsr = sticky): void => {
    assert.equal(run({ reg: bits64(a), rm: bits64(b), mxcsr }).hostCalls, 1, `${a}, ${b}`);
  };
  for (const odd of [Number.NaN, Infinity, 2 ** -1060]) {
    for (const run of [add, multiply, divide]) {
      slow(run, odd, 1);
      slow(run, 1, odd);
    }
  }
  slow(divide, 1, 0);
  slow(multiply, 1e200, 1e200);
  slow(multiply, 1e-200, 1e-200);
  slow(multiply, 2 ** -1022, 0.999);
  slow(add, 1.5e308, 1.5e308);
  slow(add, 1.5 * 2 ** -1022, -(2 ** -1022));
  slow(add, 1, 2, sticky | 0x2000);
});

test('before PE is set, exact results are done in place and inexact ones take the slow path', () => {
  const root = vectorProgram('SQRTSD', 'Vq,Wq');
  const narrow = vectorProgram('CVTSD2SS', 'Vd,Wq');
  const calls = (run: typeof add, a: number, b: number, mxcsr = masked): number =>
    run({ reg: bits64(a), rm: bits64(b), mxcsr }).hostCalls;
  for (const [run, a, b] of [
    [add, 1, 2],
    [add, 2 ** 53, -1],
    [vectorProgram('SUBSD', 'Vq,Wq'), 1e15, 0.25],
    [multiply, 12345678, -7654321 / 2],
    [multiply, 1 / 3, 0.5],
    [divide, 1 / 3, 4],
    [divide, 15, -3],
    [root, 0, 144],
    [narrow, 0, 1.5],
  ] as const) {
    assert.equal(calls(run, a, b), 0, `${a}, ${b}`);
    assert.equal(calls(run, a, b, masked & ~0x1000), 0);
  }
  for (const [run, a, b] of [
    [add, 2 ** 53, 0.5],
    [multiply, 1 / 3, 1 / 3],
    [divide, 1, 3],
    [root, 0, 2],
    [narrow, 0, 0.1],
  ] as const) {
    assert.equal(calls(run, a, b), 1, `${a}, ${b}`);
    assert.equal(calls(run, a, b, sticky & ~0x1000), 1);
  }
});

test('a packed operation is as slow as its slowest lane; a scalar one ignores the others', () => {
  const packed = vectorProgram('MULPS', 'Vdq,Wdq');
  const rm = (bits32(2) << 96n) | (bits32(3) << 64n) | (bits32(0) << 32n) | bits32(5);
  const good = packed({ reg: rm, rm, mxcsr: sticky });
  assert.equal(good.hostCalls, 0);
  assert.equal(good.xmmReg, (bits32(4) << 96n) | (bits32(9) << 64n) | (bits32(0) << 32n) | bits32(25));
  const bad = rm | (bits32(Number.NaN) << 96n);
  assert.equal(packed({ reg: rm, rm: bad, mxcsr: sticky }).hostCalls, 1);
  const scalar = vectorProgram('MULSS', 'Vd,Wd')({ reg: rm, rm: bad, mxcsr: sticky });
  assert.equal(scalar.hostCalls, 0);
  assert.equal(scalar.xmmReg, ((rm >> 32n) << 32n) | bits32(25));
});

test('comparisons of ordinary numbers set ZF, PF, CF and clear the rest', () => {
  const run = vectorProgram('UCOMISD', 'Vq,Wq');
  const flags = (a: number, b: number): number => {
    const end = run({ reg: bits64(a), rm: bits64(b), flags: 0x8d5 });
    assert.equal(end.hostCalls, 0);
    return end.flags;
  };
  assert.deepEqual(
    [flags(1, 2), flags(2, 2), flags(3, 2), flags(0, -0), flags(-Infinity, 1)],
    [0x01, 0x40, 0, 0x40, 0x01],
  );
  assert.equal(run({ reg: bits64(Number.NaN), rm: 0n }).hostCalls, 1);
});

test('CMPPD under every predicate', () => {
  const run = vectorProgram('CMPPD', 'Vdq,Wdq,Ib');
  const expected = [
    [0n, 1n],
    [1n, 0n],
    [1n, 1n],
    [0n, 0n],
    [1n, 0n],
    [0n, 1n],
    [0n, 0n],
    [1n, 1n],
  ] as const;
  const reg = (bits64(7) << 64n) | bits64(1);
  const rm = (bits64(7) << 64n) | bits64(2);
  const ones = (1n << 64n) - 1n;
  for (const [immediate, [low, high]] of expected.entries()) {
    const end = run({ reg, rm, immediate: BigInt(immediate) });
    assert.equal(end.xmmReg, ((high * ones) << 64n) | (low * ones), `predicate ${immediate}`);
  }
});

test('MINSD and MAXSD return the second operand of equal zeros', () => {
  const run = vectorProgram('MINSD', 'Vq,Wq');
  assert.equal(run({ reg: bits64(0), rm: bits64(-0) }).xmmReg, bits64(-0));
  assert.equal(run({ reg: bits64(-0), rm: bits64(0) }).xmmReg, bits64(0));
  const greater = vectorProgram('MAXSD', 'Vq,Wq');
  assert.equal(greater({ reg: bits64(0), rm: bits64(-0) }).xmmReg, bits64(-0));
  assert.equal(greater({ reg: bits64(5), rm: bits64(Infinity) }).xmmReg, bits64(Infinity));
});

test('conversions to integers: exact ones at once, inexact ones once PE is set, none beyond the range', () => {
  const truncate = vectorProgram('CVTTSD2SI', 'Gy,Wq');
  const round = vectorProgram('CVTSD2SI', 'Gy,Wq', { operandSize: 64 });
  assert.equal(truncate({ rm: bits64(-7), rsi: ~0n }).rsi, 0xffff_fff9n);
  assert.equal(truncate({ rm: bits64(-7.9), mxcsr: sticky }).rsi, 0xffff_fff9n);
  assert.equal(round({ rm: bits64(2.5), mxcsr: sticky }).rsi, 2n);
  assert.equal(round({ rm: bits64(-(2 ** 62)) }).rsi, 3n << 62n);
  for (const [run, value, mxcsr] of [
    [truncate, 7.5, masked],
    [truncate, 2 ** 31, sticky],
    [truncate, Number.NaN, sticky],
    [round, 2 ** 63, sticky],
    // The greatest and the least number are what the others become.
    [round, -(2 ** 63), sticky],
    [round, 2.5, sticky | 0x4000],
  ] as const) {
    assert.equal(run({ rm: bits64(value), mxcsr }).hostCalls, 1);
  }
});

test('conversions from integers are exact as long as they fit the significand', () => {
  const run = vectorProgram('CVTSI2SD', 'Vq,Ey', { operandSize: 64 });
  const start = { reg: upper, rbx: (1n << 53n) + 1n };
  assert.equal(run({ ...start, rbx: -(1n << 53n) }).xmmReg, upper | bits64(-(2 ** 53)));
  assert.equal(run({ ...start, mxcsr: sticky }).xmmReg, upper | bits64(2 ** 53));
  assert.equal(run(start).hostCalls, 1);
});

test('ROUNDSD under its four modes, MXCSR.RC, and without #P', () => {
  const run = vectorProgram('ROUNDSD', 'Vq,Wq,Ib');
  const rounded = (value: number, immediate: bigint, mxcsr: number): bigint => {
    const end = run({ rm: bits64(value), immediate, mxcsr });
    assert.equal(end.hostCalls, 0);
    return end.xmmReg;
  };
  for (const [immediate, expected] of [
    [0n, -2],
    [1n, -3],
    [2n, -2],
    [3n, -2],
  ] as const) {
    assert.equal(rounded(-2.5, immediate, sticky), bits64(expected));
    assert.equal(rounded(-2.5, immediate | 8n, masked), bits64(expected));
  }
  assert.equal(rounded(2.25, 4n, sticky | 0x4000), bits64(3));
  assert.equal(run({ rm: bits64(2.5), immediate: 0n, mxcsr: masked }).hostCalls, 1);
});

test('DPPS adds the chosen products and writes the chosen lanes', () => {
  const run = vectorProgram('DPPS', 'Vdq,Wdq,Ib');
  const vector = (values: readonly number[]): bigint =>
    values.reduce((all, value, n) => all | (bits32(value) << BigInt(32 * n)), 0n);
  const [reg, rm] = [vector([1, 2, 3, 4]), vector([10, 20, 30, 40])];
  assert.equal(run({ reg, rm, immediate: 0xf1n, mxcsr: sticky }).xmmReg, vector([300, 0, 0, 0]));
  assert.equal(run({ reg, rm, immediate: 0x5an, mxcsr: sticky }).xmmReg, vector([0, 100, 0, 100]));
  const withNaN = vector([1, Number.NaN, 3, 4]);
  assert.equal(run({ reg: withNaN, rm, immediate: 0x51n, mxcsr: sticky }).hostCalls, 0);
});

test('RCPPS and RSQRTPS: 12 bits at least, zeros and infinities as defined, denormals as zeros', () => {
  const scalar = (mnemonic: string, value: number): number => {
    const end = vectorProgram(mnemonic, 'Vd,Wd')({ rm: bits32(value), reg: 0n });
    view.setUint32(0, Number(end.xmmReg));
    assert.deepEqual([end.hostCalls, end.mxcsr], [0, masked]);
    return view.getFloat32(0);
  };
  for (const value of [3, 7.25, 1e10, 1e-10]) {
    assert.ok(Math.abs(scalar('RCPSS', value) * value - 1) < 1.5 * 2 ** -12);
    assert.ok(Math.abs(scalar('RSQRTSS', value) * Math.sqrt(value) - 1) < 1.5 * 2 ** -12);
  }
  assert.equal(scalar('RCPSS', -0), -Infinity);
  assert.equal(scalar('RCPSS', 2 ** -140), Infinity);
  assert.equal(scalar('RCPSS', 2 ** 127), 0);
  assert.equal(scalar('RSQRTSS', -0), -Infinity);
  assert.ok(Number.isNaN(scalar('RSQRTSS', -1)));
});
