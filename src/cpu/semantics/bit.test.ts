import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { guestView, program } from './testing/machine.ts';
import { allFlags, cut, flagBit, merged, Operands, signed } from './testing/reference.ts';
import { fsBase } from './testing/test-ops.ts';

const bitWidths = [16, 32, 64] as const;
const middle = 0x4000;
const pointer = BigInt(middle) - fsBase;

const changes: Readonly<Record<string, (value: bigint, mask: bigint) => bigint>> = {
  BT: (value) => value,
  BTS: (value, mask) => value | mask,
  BTR: (value, mask) => value & ~mask,
  BTC: (value, mask) => value ^ mask,
};

beforeEach(() => {
  for (let i = 0; i < 0x10000; i += 8) guestView.setBigUint64(i, 0n);
});

for (const [mnemonic, change] of Object.entries(changes)) {
  test(`${mnemonic} of a register takes the offset modulo its width`, () => {
    const operands = new Operands();
    for (const bits of bitWidths) {
      const run = program(mnemonic, 'Ev,Gv', { operandSize: bits });
      for (let i = 0; i < 100; i++) {
        const start = { rbx: operands.bits(64), rsi: operands.register(bits), flags: operands.flags() };
        const position = cut(start.rsi, bits) % BigInt(bits);
        const end = run(start);
        const value = change(cut(start.rbx, bits), 1n << position);
        assert.equal(end.rbx, mnemonic === 'BT' ? start.rbx : merged(start.rbx, value, bits));
        assert.equal(end.flags, (start.flags & ~flagBit.cf) | Number((start.rbx >> position) & 1n));
      }
    }
  });

  test(`${mnemonic} of memory reaches as far as a signed register offset says`, () => {
    const operands = new Operands();
    for (const bits of bitWidths) {
      const run = program(mnemonic, 'Ev,Gv', { operandSize: bits, registerForm: false });
      for (let i = 0; i < 100; i++) {
        const offset = operands.number(0x4000) - 0x2000;
        const address = middle + (offset >> 3);
        const before = Number(operands.bits(8));
        guestView.setUint8(address, before);
        const end = run({ r9: pointer, rsi: merged(operands.bits(64), BigInt(offset), bits) });
        const mask = 1n << BigInt(offset & 7);
        assert.equal(end.flags & flagBit.cf, (BigInt(before) & mask) === 0n ? 0 : 1);
        assert.equal(guestView.getUint8(address), Number(change(BigInt(before), mask)));
        guestView.setUint8(address, 0);
      }
    }
  });
}

test('an immediate bit offset stays within the operand', () => {
  const run = program('BTS', 'Ev,Ib', { operandSize: 32, registerForm: false });
  run({ r9: pointer, immediate: 33n });
  assert.equal(guestView.getUint32(middle, true), 2);
});

test('BSF and BSR: position, ZF, and a destination left alone by 0', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const forward = program('BSF', 'Gv,Ev', { operandSize: bits });
    const backward = program('BSR', 'Gv,Ev', { operandSize: bits });
    for (let i = 0; i < 100; i++) {
      const start = { rsi: operands.bits(64), rbx: operands.register(bits) };
      const text = cut(start.rbx, bits).toString(2);
      const zero = text === '0';
      const lowest = BigInt(text.length - 1 - text.lastIndexOf('1'));
      const first = forward(start);
      const last = backward(start);
      assert.equal(first.rsi, zero ? start.rsi : merged(start.rsi, lowest, bits));
      assert.equal(last.rsi, zero ? start.rsi : merged(start.rsi, BigInt(text.length - 1), bits));
      for (const end of [first, last]) assert.equal(end.flags & flagBit.zf, zero ? flagBit.zf : 0);
    }
  }
});

test('flag instructions', () => {
  const flags = (mnemonic: string, before: number, rax = 0n): number =>
    program(mnemonic, '')({ flags: before, rax }).flags;
  assert.equal(flags('CLC', allFlags), allFlags & ~flagBit.cf);
  assert.equal(flags('STC', 0), flagBit.cf);
  assert.equal(flags('CMC', allFlags), allFlags & ~flagBit.cf);
  assert.equal(flags('CMC', 0), flagBit.cf);
  assert.equal(flags('SAHF', flagBit.of, 0x8500n), flagBit.of | flagBit.sf | flagBit.pf | flagBit.cf);
  assert.equal(flags('SAHF', 0, 0xff00n), allFlags & ~flagBit.of);
  assert.equal(program('LAHF', '')({ flags: allFlags }).rax, 0xd700n);
  assert.equal(program('LAHF', '')({}).rax, 0x0200n);
});

test('sign extensions of the accumulator', () => {
  const run = (mnemonic: string, operandSize: 16 | 32 | 64) => program(mnemonic, '', { operandSize });
  const rax = 0x7777_7777_8888_8880n;
  assert.equal(run('CBW/CWDE/CDQE', 16)({ rax }).rax, 0x7777_7777_8888_ff80n);
  assert.equal(run('CBW/CWDE/CDQE', 32)({ rax }).rax, 0xffff_8880n);
  assert.equal(run('CBW/CWDE/CDQE', 64)({ rax }).rax, 0xffff_ffff_8888_8880n);
  const rdx = cut(-1n, 64) >> 1n;
  assert.equal(run('CWD/CDQ/CQO', 16)({ rax, rdx }).rdx, rdx);
  assert.equal(run('CWD/CDQ/CQO', 32)({ rax, rdx }).rdx, 0xffff_ffffn);
  assert.equal(run('CWD/CDQ/CQO', 64)({ rax, rdx }).rdx, 0n);
});

test('MOVSX, MOVZX, MOVSXD, LEA, BSWAP, MOVBE, XLAT', () => {
  const operands = new Operands();
  for (const bits of bitWidths) {
    const moves = [
      { run: program('MOVSX', 'Gv,Eb', { operandSize: bits }), value: (v: bigint) => signed(v, 8) },
      { run: program('MOVZX', 'Gv,Ew', { operandSize: bits }), value: (v: bigint) => cut(v, 16) },
      { run: program('MOVSXD', 'Gv,Ez', { operandSize: bits }), value: (v: bigint) => signed(v, 32) },
    ];
    const lea = program('LEA', 'Gv,Mn', { operandSize: bits, registerForm: false });
    for (let i = 0; i < 40; i++) {
      const start = { rbx: operands.register(32), rsi: operands.bits(64) };
      for (const { run, value } of moves) assert.equal(run(start).rsi, merged(start.rsi, value(start.rbx), bits));
      assert.equal(lea({ r9: start.rbx, rsi: start.rsi }).rsi, merged(start.rsi, start.rbx, bits));
    }
  }
  const swap = (operandSize: 32 | 64): bigint =>
    program('BSWAP', 'Zv', { operandSize })({ rbx: 0x1122_3344_5566_7788n }).rbx;
  assert.equal(swap(32), 0x8877_6655n);
  assert.equal(swap(64), 0x8877_6655_4433_2211n);
  guestView.setUint16(middle, 0x1234, true);
  const movbe = program('MOVBE', 'Gv,Mv', { operandSize: 16, registerForm: false });
  assert.equal(movbe({ r9: pointer, rsi: 0xffff_ffffn }).rsi, 0xffff_3412n);
  guestView.setUint8(middle + 0x85, 0x77);
  assert.equal(program('XLAT', '')({ rbx: pointer, rax: 0x1185n }).rax, 0x1177n);
});
