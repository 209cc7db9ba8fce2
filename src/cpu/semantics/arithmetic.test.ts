import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program } from './testing/machine.ts';
import {
  allFlags,
  cut,
  flagBit,
  merged,
  Operands,
  type Outcome,
  resultFlags,
  sum,
  type Width,
  widths,
} from './testing/reference.ts';

const rounds = 250;
const columns = (bits: Width, narrow: string, wide: string): string => (bits === 8 ? narrow : wide);
const sizeOf = (bits: Width): 16 | 32 | 64 => (bits === 8 ? 32 : bits);

/** The destination is RBX, the source RSI. */
type Binary = (a: bigint, b: bigint, carry: bigint, bits: number) => Outcome;

const logical =
  (combine: (a: bigint, b: bigint) => bigint): Binary =>
  (a, b, _carry, bits) => ({ value: combine(a, b), flags: resultFlags(combine(a, b), bits) });

const binaries: Readonly<Record<string, Binary>> = {
  ADD: (a, b, _carry, bits) => sum(a, b, 0n, bits, false),
  ADC: (a, b, carry, bits) => sum(a, b, carry, bits, false),
  SUB: (a, b, _carry, bits) => sum(a, b, 0n, bits, true),
  SBB: (a, b, carry, bits) => sum(a, b, carry, bits, true),
  CMP: (a, b, _carry, bits) => ({ value: a, flags: sum(a, b, 0n, bits, true).flags }),
  AND: logical((a, b) => a & b),
  OR: logical((a, b) => a | b),
  XOR: logical((a, b) => a ^ b),
  TEST: (a, b, _carry, bits) => ({ value: a, flags: resultFlags(a & b, bits) }),
};

for (const [mnemonic, reference] of Object.entries(binaries)) {
  test(`${mnemonic}: result and all flags, every width`, () => {
    const operands = new Operands();
    const undefinedFlags = /AND|OR|TEST/.test(mnemonic) ? flagBit.af : 0;
    const writes = mnemonic !== 'CMP' && mnemonic !== 'TEST';
    for (const bits of widths) {
      const run = program(mnemonic, columns(bits, 'Eb,Gb', 'Ev,Gv'), { operandSize: sizeOf(bits) });
      for (let i = 0; i < rounds; i++) {
        const start = { rbx: operands.register(bits), rsi: operands.register(bits), flags: operands.flags() };
        const expected = reference(cut(start.rbx, bits), cut(start.rsi, bits), BigInt(start.flags & 1), bits);
        const end = run(start);
        assert.equal(end.rbx, writes ? merged(start.rbx, expected.value, bits) : start.rbx);
        assert.equal(
          end.flags & ~undefinedFlags,
          expected.flags & ~undefinedFlags,
          `${bits} ${JSON.stringify(end.flags)}`,
        );
      }
    }
  });
}

const unaries: Readonly<Record<string, (a: bigint, bits: number, flags: number) => Outcome>> = {
  INC: (a, bits, flags) => keepCarry(sum(a, 1n, 0n, bits, false), flags),
  DEC: (a, bits, flags) => keepCarry(sum(a, 1n, 0n, bits, true), flags),
  NEG: (a, bits) => sum(0n, a, 0n, bits, true),
  NOT: (a, bits, flags) => ({ value: cut(~a, bits), flags }),
};

const keepCarry = ({ value, flags }: Outcome, before: number): Outcome => ({
  value,
  flags: (flags & ~flagBit.cf) | (before & flagBit.cf),
});

for (const [mnemonic, reference] of Object.entries(unaries)) {
  test(`${mnemonic}: result and all flags, every width`, () => {
    const operands = new Operands();
    for (const bits of widths) {
      const run = program(mnemonic, columns(bits, 'Eb', 'Ev'), { operandSize: sizeOf(bits) });
      for (let i = 0; i < rounds; i++) {
        const start = { rbx: operands.register(bits), flags: operands.flags() };
        const expected = reference(cut(start.rbx, bits), bits, start.flags);
        const end = run(start);
        assert.equal(end.rbx, merged(start.rbx, expected.value, bits));
        assert.equal(end.flags, expected.flags);
      }
    }
  });
}

test('a byte immediate is sign-extended to the operand size', () => {
  const run = program('ADD', 'Ev,Ibs', { operandSize: 64 });
  const end = run({ rbx: 5n, immediate: -7n });
  assert.equal(end.rbx, cut(-2n, 64));
  assert.equal(end.flags & allFlags, flagBit.sf);
});

test('a fault of the destination leaves memory and flags alone', () => {
  const run = program('ADC', 'Ev,Gv', { operandSize: 64, registerForm: false });
  const end = run({ r9: 0xe000n, rsi: 1n, flags: allFlags });
  assert.equal(end.outcome, 14);
  assert.equal(end.flags, allFlags);
});

test('condition codes of SETcc follow the flags', () => {
  const flag = (flags: number, bit: number): boolean => (flags & bit) !== 0;
  const conditions: readonly [string, (f: number) => boolean][] = [
    ['O', (f) => flag(f, flagBit.of)],
    ['B', (f) => flag(f, flagBit.cf)],
    ['E', (f) => flag(f, flagBit.zf)],
    ['BE', (f) => flag(f, flagBit.cf | flagBit.zf)],
    ['S', (f) => flag(f, flagBit.sf)],
    ['P', (f) => flag(f, flagBit.pf)],
    ['L', (f) => flag(f, flagBit.sf) !== flag(f, flagBit.of)],
    ['LE', (f) => flag(f, flagBit.zf) || flag(f, flagBit.sf) !== flag(f, flagBit.of)],
  ];
  const opposite: Readonly<Record<string, string>> = {
    O: 'NO',
    B: 'AE',
    E: 'NE',
    BE: 'A',
    S: 'NS',
    P: 'NP',
    L: 'GE',
    LE: 'G',
  };
  for (const [name, holds] of conditions) {
    const set = program(`SET${name}`, 'Eb');
    const clear = program(`SET${opposite[name]}`, 'Eb');
    for (let value = 0; value < 64; value++) {
      const flags =
        (value & 1) |
        ((value & 2) << 1) |
        ((value & 4) << 2) |
        ((value & 8) << 3) |
        ((value & 16) << 3) |
        ((value & 32) << 6);
      assert.equal(set({ flags, rbx: 0x1234n }).rbx, holds(flags) ? 0x1201n : 0x1200n, name);
      assert.equal(clear({ flags, rbx: 0x1234n }).rbx, holds(flags) ? 0x1200n : 0x1201n, name);
    }
  }
});

test('CMOVcc zero-extends a 32-bit destination whatever the condition', () => {
  const run = program('CMOVE', 'Gv,Ev');
  assert.equal(run({ rsi: 0x1111_1111_2222_2222n, rbx: 7n }).rsi, 0x2222_2222n);
  assert.equal(run({ rsi: 0x1111_1111_2222_2222n, rbx: 7n, flags: flagBit.zf }).rsi, 7n);
});
