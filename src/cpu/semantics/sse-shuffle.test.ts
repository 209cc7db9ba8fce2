import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guestView } from './testing/machine.ts';
import { Operands, signed } from './testing/reference.ts';
import { fsBase } from './testing/test-ops.ts';
import { fromLanes, lanesOf, vectorProgram } from './testing/vector-machine.ts';

const operands = new Operands();
const random128 = (): bigint => (operands.bits(64) << 64n) | operands.bits(64);
const immediates = Array.from({ length: 256 }, (_, n) => n);

const field = (immediate: number, position: number): number => (immediate >> (position * 2)) & 3;

/** Runs an instruction with every immediate against what `expected` makes of registers and immediate. */
function withEveryImmediate(
  mnemonic: string,
  form: string,
  expected: (reg: bigint, rm: bigint, immediate: number) => bigint,
): void {
  test(`${mnemonic} ${form} under every immediate`, () => {
    const run = vectorProgram(mnemonic, form);
    for (const immediate of immediates) {
      const [reg, rm] = [random128(), random128()];
      const end = run({ reg, rm, immediate: BigInt(immediate) });
      const actual = form.startsWith('P') ? end.mmxReg : end.xmmReg;
      assert.equal(actual, expected(reg, rm, immediate), `immediate ${immediate}`);
    }
  });
}

withEveryImmediate('PSHUFD', 'Vdq,Wdq,Ib', (_reg, rm, immediate) => {
  const lanes = lanesOf(rm, 32);
  return fromLanes(
    [0, 1, 2, 3].map((n) => lanes[field(immediate, n)] as bigint),
    32,
  );
});

const words = (rm: bigint, immediate: number, first: number): bigint[] => {
  const lanes = lanesOf(rm, 16);
  return lanes.map((lane, n) =>
    n >= first && n < first + 4 ? (lanes[first + field(immediate, n - first)] as bigint) : lane,
  );
};
withEveryImmediate('PSHUFLW', 'Vdq,Wdq,Ib', (_reg, rm, immediate) => fromLanes(words(rm, immediate, 0), 16));
withEveryImmediate('PSHUFHW', 'Vdq,Wdq,Ib', (_reg, rm, immediate) => fromLanes(words(rm, immediate, 4), 16));
withEveryImmediate('PSHUFW', 'Pq,Qq,Ib', (_reg, rm, immediate) => fromLanes(words(rm, immediate, 0).slice(0, 4), 16));

withEveryImmediate('SHUFPS', 'Vdq,Wdq,Ib', (reg, rm, immediate) => {
  const [x, y] = [lanesOf(reg, 32), lanesOf(rm, 32)];
  return fromLanes(
    [0, 1, 2, 3].map((n) => (n < 2 ? x : y)[field(immediate, n)] as bigint),
    32,
  );
});

withEveryImmediate('SHUFPD', 'Vdq,Wdq,Ib', (reg, rm, immediate) =>
  fromLanes([lanesOf(reg, 64)[immediate & 1] as bigint, lanesOf(rm, 64)[(immediate >> 1) & 1] as bigint], 64),
);

withEveryImmediate('PALIGNR', 'Vdq,Wdq,Ib', (reg, rm, immediate) =>
  BigInt.asUintN(128, ((reg << 128n) | rm) >> BigInt(8 * immediate)),
);
withEveryImmediate('PALIGNR', 'Pq,Qq,Ib', (reg, rm, immediate) =>
  BigInt.asUintN(64, ((BigInt.asUintN(64, reg) << 64n) | BigInt.asUintN(64, rm)) >> BigInt(8 * immediate)),
);

for (const [mnemonic, bits] of [
  ['PBLENDW', 16],
  ['BLENDPS', 32],
  ['BLENDPD', 64],
] as const) {
  withEveryImmediate(mnemonic, 'Vdq,Wdq,Ib', (reg, rm, immediate) => {
    const other = lanesOf(rm, bits);
    return fromLanes(
      lanesOf(reg, bits).map((lane, n) => ((immediate >> n) & 1 ? (other[n] as bigint) : lane)),
      bits,
    );
  });
}

withEveryImmediate('INSERTPS', 'Vdq,Udq,Ib', (reg, rm, immediate) => {
  const lanes = lanesOf(reg, 32);
  lanes[(immediate >> 4) & 3] = lanesOf(rm, 32)[immediate >> 6] as bigint;
  return fromLanes(
    lanes.map((lane, n) => ((immediate >> n) & 1 ? 0n : lane)),
    32,
  );
});

withEveryImmediate('MPSADBW', 'Vdq,Wdq,Ib', (reg, rm, immediate) => {
  const [x, y] = [lanesOf(reg, 8), lanesOf(rm, 8)];
  const run = immediate & 4;
  const block = (immediate & 3) * 4;
  const sums = Array.from({ length: 8 }, (_, n) => {
    let sum = 0n;
    for (let k = 0; k < 4; k++) {
      const difference = (x[run + n + k] as bigint) - (y[block + k] as bigint);
      sum += difference < 0n ? -difference : difference;
    }
    return sum;
  });
  return fromLanes(sums, 16);
});

test('INSERTPS from memory takes the only lane there is, whatever the immediate chooses', () => {
  const run = vectorProgram('INSERTPS', 'Vdq,Md,Ib', { registerForm: false });
  guestView.setUint32(0x3000 + Number(fsBase), 0x1234_5678, true);
  assert.equal(run({ r9: 0x3000n, reg: 0n, immediate: 0xe0n }).xmmReg, 0x1234_5678n << 64n);
});

for (const [mnemonic, bits, form] of [
  ['PEXTRB', 8, 'Rd,Vdq,Ib'],
  ['PEXTRW', 16, 'Rd,Vdq,Ib'],
  ['PEXTRD/PEXTRD/PEXTRQ', 32, 'Ey,Vdq,Ib'],
  ['PEXTRD/PEXTRD/PEXTRQ', 64, 'Ey,Vdq,Ib'],
  ['EXTRACTPS', 32, 'Ed,Vdq,Ib'],
] as const) {
  test(`${mnemonic} of ${bits} bits zero-extends the chosen lane`, () => {
    const run = vectorProgram(mnemonic, form, { operandSize: bits === 64 ? 64 : 32 });
    for (const immediate of immediates) {
      const reg = random128();
      const lanes = lanesOf(reg, bits);
      assert.equal(run({ reg, rbx: ~0n, immediate: BigInt(immediate) }).rbx, lanes[immediate % lanes.length]);
    }
  });
}

for (const [mnemonic, bits, form] of [
  ['PINSRB', 8, 'Vdq,Rd,Ib'],
  ['PINSRW', 16, 'Vdq,Rd,Ib'],
  ['PINSRD/PINSRD/PINSRQ', 32, 'Vdq,Ey,Ib'],
  ['PINSRD/PINSRD/PINSRQ', 64, 'Vdq,Ey,Ib'],
] as const) {
  test(`${mnemonic} of ${bits} bits replaces the chosen lane`, () => {
    const run = vectorProgram(mnemonic, form, { operandSize: bits === 64 ? 64 : 32 });
    for (const immediate of immediates) {
      const [reg, rbx] = [random128(), operands.bits(64)];
      const lanes = lanesOf(reg, bits);
      lanes[immediate % lanes.length] = rbx;
      assert.equal(run({ reg, rbx, immediate: BigInt(immediate) }).xmmReg, fromLanes(lanes, bits));
    }
  });
}

test('PINSRW and PEXTRW of MMX registers choose among four words', () => {
  const insert = vectorProgram('PINSRW', 'Pq,Rd,Ib');
  assert.equal(insert({ reg: 0x4444_3333_2222_1111n, rbx: 0xabcdn, immediate: 6n }).mmxReg, 0x4444_abcd_2222_1111n);
  const extract = vectorProgram('PEXTRW', 'Gd,Nq,Ib');
  assert.equal(extract({ rm: 0x4444_3333_2222_1111n, rsi: ~0n, immediate: 7n }).rsi, 0x4444n);
});

test('PBLENDVB, BLENDVPS and BLENDVPD go by the top bits of the lanes of XMM0', () => {
  for (const [mnemonic, bits] of [
    ['PBLENDVB', 8],
    ['BLENDVPS', 32],
    ['BLENDVPD', 64],
  ] as const) {
    const run = vectorProgram(mnemonic, 'Vdq,Wdq,XMM0');
    for (let round = 0; round < 20; round++) {
      const [reg, rm, xmm0] = [random128(), random128(), random128()];
      const [y, mask] = [lanesOf(rm, bits), lanesOf(xmm0, bits)];
      const expected = lanesOf(reg, bits).map((lane, n) =>
        signed(mask[n] as bigint, bits) < 0n ? (y[n] as bigint) : lane,
      );
      assert.equal(run({ reg, rm, xmm0 }).xmmReg, fromLanes(expected, bits));
    }
  }
});

test('PMOVSX and PMOVZX widen the low lanes', () => {
  const widths = {
    BW: [8, 16, 'q'],
    BD: [8, 32, 'd'],
    BQ: [8, 64, 'w'],
    WD: [16, 32, 'q'],
    DQ: [32, 64, 'q'],
  } as const;
  for (const [suffix, [from, to, width]] of Object.entries(widths)) {
    const rm = random128();
    const low = lanesOf(rm, from).slice(0, 128 / to);
    const zero = vectorProgram(`PMOVZX${suffix}`, `Vdq,W${width}`)({ rm }).xmmReg;
    const sign = vectorProgram(`PMOVSX${suffix}`, `Vdq,W${width}`)({ rm }).xmmReg;
    assert.equal(zero, fromLanes(low, to));
    assert.equal(
      sign,
      fromLanes(
        low.map((lane) => signed(lane, from)),
        to,
      ),
    );
  }
});

test('scalar loads clear the rest of the register, register moves keep it', () => {
  guestView.setUint32(0x3000 + Number(fsBase), 0x1234_5678, true);
  const reg = ~0n & ((1n << 128n) - 1n);
  const load = vectorProgram('MOVSS', 'Vdq,Md', { registerForm: false });
  assert.equal(load({ r9: 0x3000n, reg }).xmmReg, 0x1234_5678n);
  const move = vectorProgram('MOVSS', 'Vd,Ud');
  assert.equal(move({ reg, rm: 0x1234_5678n }).xmmReg, ((reg >> 32n) << 32n) | 0x1234_5678n);
  assert.equal(vectorProgram('MOVHLPS', 'Vq,Udq')({ reg, rm: 5n << 64n }).xmmReg, ((reg >> 64n) << 64n) | 5n);
  assert.equal(vectorProgram('MOVLHPS', 'Vdq,Uq')({ reg, rm: 5n }).xmmReg, (5n << 64n) | (reg >> 64n));
});
