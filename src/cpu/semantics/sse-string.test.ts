import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allFlags, flagBit, Operands } from './testing/reference.ts';
import { fromLanes, lanesOf, vectorProgram } from './testing/vector-machine.ts';

/** The comparison as SDM Vol. 1 12.4.3 tells it: a table of all pairs, overridden where elements are not valid. */
function compare(a: bigint, b: bigint, lengths: readonly [number, number], immediate: number): number {
  const bits = (immediate & 1) === 0 ? 8 : 16;
  const count = 128 / bits;
  const isSigned = (immediate & 2) !== 0;
  const elements = (vector: bigint): bigint[] =>
    lanesOf(vector, bits).map((lane) => (isSigned ? BigInt.asIntN(bits, lane) : lane));
  const [x, y] = [elements(a), elements(b)];
  const kind = (immediate >> 2) & 3;
  const related = (i: number, j: number): boolean => {
    const [left, right] = [x[i] as bigint, y[j] as bigint];
    if (kind === 1) return i % 2 === 0 ? right >= left : right <= left;
    return left === right;
  };
  const pair = (i: number, j: number): boolean => {
    const [validA, validB] = [i < lengths[0], j < lengths[1]];
    if (validA && validB) return related(i, j);
    if (kind < 2) return false;
    if (kind === 2) return validA === validB;
    return !validA;
  };
  let first = 0;
  for (let j = 0; j < count; j++) {
    let holds = kind === 3;
    if (kind === 0) for (let i = 0; i < count; i++) holds ||= pair(i, j);
    if (kind === 1) for (let i = 0; i < count; i += 2) holds ||= pair(i, j) && pair(i + 1, j);
    if (kind === 2) holds = pair(j, j);
    if (kind === 3) for (let i = 0; i + j < count; i++) holds &&= pair(i, i + j);
    if (holds) first |= 1 << j;
  }
  let second = first;
  for (let j = 0; j < count; j++) {
    const negated = (immediate & 0x10) !== 0 && ((immediate & 0x20) === 0 || j < lengths[1]);
    if (negated) second ^= 1 << j;
  }
  return second;
}

const index = (result: number, count: number, most: boolean): bigint => {
  if (result === 0) return BigInt(count);
  return BigInt(most ? 31 - Math.clz32(result) : 31 - Math.clz32(result & -result));
};

function expectedFlags(result: number, lengths: readonly [number, number], count: number): number {
  const { cf, zf, sf, of } = flagBit;
  return (
    (result !== 0 ? cf : 0) |
    (lengths[1] < count ? zf : 0) |
    (lengths[0] < count ? sf : 0) |
    ((result & 1) !== 0 ? of : 0)
  );
}

const implicitLength = (vector: bigint, bits: number): number => {
  const lanes = lanesOf(vector, bits);
  const zero = lanes.indexOf(0n);
  return zero < 0 ? lanes.length : zero;
};

const operands = new Operands();
const letters = [0x00n, 0x61n, 0x61n, 0x62n, 0x7an, 0x80n, 0xffn];
const text = (length: number): bigint =>
  fromLanes(
    Array.from({ length: 16 }, (_, n) =>
      n < length
        ? (letters[1 + Number(operands.bits(64) % 6n)] as bigint)
        : (letters[Number(operands.bits(64) % 7n)] as bigint),
    ),
    8,
  );

test('PCMPISTRI and PCMPISTRM agree with the definition under every immediate', () => {
  const indexed = vectorProgram('PCMPISTRI', 'Vdq,Wdq,Ib');
  const masked = vectorProgram('PCMPISTRM', 'Vdq,Wdq,Ib');
  for (let immediate = 0; immediate < 128; immediate++) {
    const bits = (immediate & 1) === 0 ? 8 : 16;
    for (let round = 0; round < 12; round++) {
      const [reg, rm] = [text(round % 6), text(16 - (round % 5))];
      const lengths = [implicitLength(reg, bits), implicitLength(rm, bits)] as const;
      const result = compare(reg, rm, lengths, immediate);
      const start = { reg, rm, immediate: BigInt(immediate), flags: allFlags, rcx: ~0n };
      const most = (immediate & 0x40) !== 0;
      const end = indexed(start);
      const where = `${reg.toString(16)} ${rm.toString(16)} ${immediate.toString(16)}`;
      assert.equal(end.rcx, index(result, 128 / bits, most), where);
      assert.equal(end.flags, expectedFlags(result, lengths, 128 / bits), where);
      const expanded = fromLanes(
        Array.from({ length: 128 / bits }, (_, n) => ((result >> n) & 1 ? -1n : 0n)),
        bits,
      );
      assert.equal(masked(start).xmm0, most ? expanded : BigInt(result), where);
    }
  }
});

test('PCMPESTRI takes lengths from rAX and rDX: magnitudes, at most the number of elements', () => {
  const narrow = vectorProgram('PCMPESTRI', 'Vdq,Wdq,Ib');
  const wide = vectorProgram('PCMPESTRI', 'Vdq,Wdq,Ib', { operandSize: 64 });
  const values = [0n, 3n, -3n, 8n, 16n, 17n, -(1n << 31n), 1n << 31n, 1n << 40n, (1n << 40n) | 2n];
  for (const rax of values) {
    for (const rdx of values) {
      for (const immediate of [0x00, 0x0c, 0x18, 0x45, 0x3a]) {
        const [reg, rm] = [text(16), text(16)];
        for (const [run, width] of [
          [narrow, 32],
          [wide, 64],
        ] as const) {
          const count = (immediate & 1) === 0 ? 16 : 8;
          const length = (value: bigint): number => {
            const signed = BigInt.asIntN(width, value);
            const magnitude = signed < 0n ? -signed : signed;
            return magnitude > BigInt(count) ? count : Number(magnitude);
          };
          const lengths = [length(rax), length(rdx)] as const;
          const result = compare(reg, rm, lengths, immediate);
          const end = run({ reg, rm, rax, rdx, immediate: BigInt(immediate) });
          assert.equal(end.rcx, index(result, count, (immediate & 0x40) !== 0));
          assert.equal(end.flags, expectedFlags(result, lengths, count));
        }
      }
    }
  }
});
