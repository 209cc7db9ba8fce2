import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guestView } from './testing/machine.ts';
import { flagBit, Operands, signed } from './testing/reference.ts';
import { fsBase } from './testing/test-ops.ts';
import { fromLanes, lanesOf, vectorProgram } from './testing/vector-machine.ts';

const operands = new Operands();
const random128 = (): bigint => (operands.bits(64) << 64n) | operands.bits(64);
const rounds = 60;

const saturate = (value: bigint, least: bigint, greatest: bigint): bigint =>
  value < least ? least : value > greatest ? greatest : value;
const saturateSigned = (value: bigint, bits: number): bigint =>
  saturate(value, -(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n);
const saturateUnsigned = (value: bigint, bits: number): bigint => saturate(value, 0n, (1n << BigInt(bits)) - 1n);

type Reference = (a: bigint, b: bigint, width: 64 | 128) => bigint;

/** A reference from what happens to single lanes. */
const laneWise =
  (bits: number, operation: (a: bigint, b: bigint) => bigint): Reference =>
  (a, b, width) => {
    const other = lanesOf(b, bits, width);
    return fromLanes(
      lanesOf(a, bits, width).map((lane, n) => operation(lane, other[n] as bigint)),
      bits,
    );
  };

const signedLanes = (bits: number, operation: (a: bigint, b: bigint) => bigint): Reference =>
  laneWise(bits, (a, b) => operation(signed(a, bits), signed(b, bits)));

/** Neighbouring lanes of a, then of b. */
const horizontal =
  (bits: number, operation: (a: bigint, b: bigint) => bigint): Reference =>
  (a, b, width) => {
    const all = [...lanesOf(a, bits, width), ...lanesOf(b, bits, width)].map((lane) => signed(lane, bits));
    const pairs = Array.from({ length: all.length / 2 }, (_, n) =>
      operation(all[2 * n] as bigint, all[2 * n + 1] as bigint),
    );
    return fromLanes(pairs, bits);
  };

const packed =
  (bits: number, narrow: (value: bigint, bits: number) => bigint): Reference =>
  (a, b, width) =>
    fromLanes(
      [...lanesOf(a, bits, width), ...lanesOf(b, bits, width)].map((lane) => narrow(signed(lane, bits), bits / 2)),
      bits / 2,
    );

const unpacked =
  (bits: number, high: boolean): Reference =>
  (a, b, width) => {
    const half = width / bits / 2;
    const start = high ? half : 0;
    const [x, y] = [lanesOf(a, bits, width), lanesOf(b, bits, width)];
    return fromLanes(
      Array.from({ length: 2 * half }, (_, n) => (n % 2 === 0 ? x : y)[start + (n >> 1)] as bigint),
      bits,
    );
  };

const multiplyAddBytes: Reference = (a, b, width) => {
  const y = lanesOf(b, 8, width);
  const products = lanesOf(a, 8, width).map((lane, n) => lane * signed(y[n] as bigint, 8));
  const sums = Array.from({ length: width / 16 }, (_, n) =>
    saturateSigned((products[2 * n] as bigint) + (products[2 * n + 1] as bigint), 16),
  );
  return fromLanes(sums, 16);
};

const distance = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a);

const distanceSums: Reference = (a, b, width) => {
  const y = lanesOf(b, 8, width);
  const all = lanesOf(a, 8, width).map((lane, n) => distance(lane, y[n] as bigint));
  const sums = Array.from({ length: width / 64 }, (_, n) =>
    all.slice(8 * n, 8 * n + 8).reduce((sum, value) => sum + value, 0n),
  );
  return fromLanes(sums, 64);
};

const shuffleBytes: Reference = (a, b, width) => {
  const bytes = lanesOf(a, 8, width);
  const count = BigInt(width / 8);
  return fromLanes(
    lanesOf(b, 8, width).map((index) => (index >= 128n ? 0n : (bytes[Number(index % count)] as bigint))),
    8,
  );
};

/** Operations that exist for MMX and SSE registers. */
const everywhere: Readonly<Record<string, Reference>> = {
  PADDB: laneWise(8, (a, b) => a + b),
  PADDSW: signedLanes(16, (a, b) => saturateSigned(a + b, 16)),
  PSUBUSB: laneWise(8, (a, b) => saturateUnsigned(a - b, 8)),
  PAVGW: laneWise(16, (a, b) => (a + b + 1n) >> 1n),
  PCMPGTD: signedLanes(32, (a, b) => (a > b ? -1n : 0n)),
  PMINSW: signedLanes(16, (a, b) => (a < b ? a : b)),
  PANDN: laneWise(64, (a, b) => ~a & b),
  PSIGNW: signedLanes(16, (a, b) => (b < 0n ? -a : b === 0n ? 0n : a)),
  PABSB: signedLanes(8, (_a, b) => (b < 0n ? -b : b)),
  PMULHW: signedLanes(16, (a, b) => (a * b) >> 16n),
  PMULHUW: laneWise(16, (a, b) => (a * b) >> 16n),
  PMULHRSW: signedLanes(16, (a, b) => (((a * b) >> 14n) + 1n) >> 1n),
  PMULUDQ: laneWise(64, (a, b) => (a & 0xffff_ffffn) * (b & 0xffff_ffffn)),
  PMADDUBSW: multiplyAddBytes,
  PSADBW: distanceSums,
  PHADDW: horizontal(16, (a, b) => a + b),
  PHSUBSW: horizontal(16, (a, b) => saturateSigned(a - b, 16)),
  PHADDD: horizontal(32, (a, b) => a + b),
  PACKSSWB: packed(16, saturateSigned),
  PACKUSWB: packed(16, saturateUnsigned),
  PACKSSDW: packed(32, saturateSigned),
  PUNPCKHBW: unpacked(8, true),
  PUNPCKHDQ: unpacked(32, true),
  PSHUFB: shuffleBytes,
};

const sseOnly: Readonly<Record<string, Reference>> = {
  PUNPCKLBW: unpacked(8, false),
  PACKUSDW: packed(32, saturateUnsigned),
  PMULDQ: laneWise(64, (a, b) => signed(a, 32) * signed(b, 32)),
  PCMPGTQ: signedLanes(64, (a, b) => (a > b ? -1n : 0n)),
  PMAXUD: laneWise(32, (a, b) => (a > b ? a : b)),
};

/** Extremes often meet in products and saturating sums. */
const extremes = [0x8000_8000_8000_8000_8000_8000_8000_8000n, 0x7fff_ffff_8000_0000_0000_0001_ffff_ffffn];
const operand = (round: number): bigint => extremes[round % 7] ?? random128();

for (const [name, reference] of Object.entries({ ...everywhere, ...sseOnly })) {
  test(`${name} of xmm registers`, () => {
    const run = vectorProgram(name, 'Vdq,Wdq');
    for (let round = 0; round < rounds; round++) {
      const [reg, rm] = [operand(round), operand((round / 7) | 0)];
      assert.equal(run({ reg, rm }).xmmReg, reference(reg, rm, 128), `${reg.toString(16)} ${rm.toString(16)}`);
    }
  });
}

for (const [name, reference] of Object.entries(everywhere)) {
  test(`${name} of MMX registers enters MMX state`, () => {
    const run = vectorProgram(name, 'Pq,Qq');
    for (let round = 0; round < rounds; round++) {
      const [reg, rm] = [operand(round), operand((round / 7) | 0)];
      const end = run({ reg, rm, fsw: 0x3841 });
      assert.equal(end.mmxReg, reference(reg, rm, 64));
      assert.deepEqual([end.mmxRegTop, end.valid, end.fsw], [0xffff, 0xff, 0x41]);
    }
  });
}

test('MMX instructions raise a pending x87 exception, EMMS too; EMMS empties all registers', () => {
  const pending = 0x80;
  assert.equal(vectorProgram('PADDB', 'Pq,Qq')({ fsw: pending }).outcome, 16);
  const emms = vectorProgram('EMMS', '');
  assert.equal(emms({ fsw: pending }).outcome, 16);
  const end = emms({ fsw: 0x3800 });
  assert.deepEqual([end.outcome, end.valid, end.fsw], ['next', 0, 0]);
});

test('PTEST sets ZF for no common bit, CF for no bit outside', () => {
  const run = vectorProgram('PTEST', 'Vdq,Wdq');
  const { zf, cf } = flagBit;
  const flags = (reg: bigint, rm: bigint): number => run({ reg, rm, flags: 0x8d5 }).flags;
  assert.equal(flags(1n << 100n, 1n << 100n), cf);
  assert.equal(flags(1n << 100n, 1n << 99n), zf);
  assert.equal(flags(1n << 100n, 3n << 99n), 0);
  assert.equal(flags(1n << 100n, 0n), zf | cf);
});

test('shift counts beyond the width give zeros or signs, whatever their upper bits', () => {
  const reg = 0x8000_7fff_8001_0001_ffff_0000_1234_8000n;
  for (const count of [0n, 1n, 15n, 16n, 17n, 64n, 1n << 32n, 1n << 63n]) {
    const left = signedLanes(16, (a) => (count > 15n ? 0n : a << count))(reg, 0n, 128);
    const right = signedLanes(16, (a) => a >> (count > 15n ? 15n : count))(reg, 0n, 128);
    const rm = count | (0x77n << 64n);
    assert.equal(vectorProgram('PSLLW', 'Vdq,Wdq')({ reg, rm }).xmmReg, left);
    assert.equal(vectorProgram('PSRAW', 'Vdq,Wdq')({ reg, rm }).xmmReg, right);
  }
  for (const immediate of [0n, 1n, 15n, 16n, 255n]) {
    const bits = immediate > 15n ? 128n : immediate * 8n;
    assert.equal(vectorProgram('PSRLDQ', 'Udq,Ib')({ rm: reg, immediate }).xmmRm, reg >> bits);
    assert.equal(vectorProgram('PSLLDQ', 'Udq,Ib')({ rm: reg, immediate }).xmmRm, BigInt.asUintN(128, reg << bits));
  }
});

test('PHMINPOSUW finds the first of the least words', () => {
  const run = vectorProgram('PHMINPOSUW', 'Vdq,Wdq');
  assert.equal(run({ rm: fromLanes([9n, 3n, 0xffffn, 3n, 4n, 5n, 6n, 7n], 16), reg: ~0n }).xmmReg, 0x1_0003n);
  assert.equal(run({ rm: fromLanes([9n, 8n, 7n, 6n, 5n, 4n, 3n, 0x8000n], 16) }).xmmReg, 0x6_0003n);
});

test('a misaligned 16-byte operand is #GP(0), but not for MOVDQU', () => {
  const r9 = 0x1008n;
  const aligned = vectorProgram('PADDB', 'Vdq,Wdq', { registerForm: false });
  assert.equal(aligned({ r9, reg: 0n }).outcome, 13);
  assert.equal(aligned({ r9: 0x1010n, reg: 0n }).outcome, 'next');
  const based = vectorProgram('MOVAPS', 'Wdq,Vdq', { registerForm: false, long: false });
  assert.equal(based({ r9 }).outcome, 13);
  const unaligned = vectorProgram('MOVDQU', 'Wdq,Vdq', { registerForm: false });
  assert.equal(unaligned({ r9, reg: 0x1234n << 64n }).outcome, 'next');
  assert.equal(guestView.getUint16(Number(r9 + fsBase) + 8, true), 0x1234);
});

test('MASKMOVDQU stores the chosen bytes, and must be able to store all', () => {
  const run = vectorProgram('MASKMOVDQU', 'Vdq,Udq');
  const at = 0x2000;
  for (let n = 0; n < 16; n++) guestView.setUint8(at + Number(fsBase) + n, 0xee);
  const reg = fromLanes(
    Array.from({ length: 16 }, (_, n) => BigInt(n)),
    8,
  );
  const rm = (0x80n << 8n) | (0xffn << 120n) | 0x7f7fn;
  assert.equal(run({ reg, rm: rm & ~0x7f00n, rdi: BigInt(at) }).outcome, 'next');
  const stored = Array.from({ length: 16 }, (_, n) => guestView.getUint8(at + Number(fsBase) + n));
  assert.deepEqual(stored, [0xee, 1, ...Array(13).fill(0xee), 15]);
  assert.equal(run({ reg, rm: 0n, rdi: 0xe000n }).outcome, 14);
});
