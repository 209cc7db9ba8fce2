import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guestView, program } from './testing/machine.ts';
import { allFlags, cut, flagBit, merged, Operands, sum, type Width, widths } from './testing/reference.ts';
import { fsBase, guestMap } from './testing/test-ops.ts';

const sizeOf = (bits: Width): 16 | 32 | 64 => (bits === 8 ? 32 : bits);
const columns = (bits: Width): string => (bits === 8 ? 'Eb,Gb' : 'Ev,Gv');
const at = 0x800;
const pointer = BigInt(at) - fsBase;

test('XCHG swaps, and zero-extends both 32-bit registers', () => {
  const end = program('XCHG', 'Ev,Gv')({ rbx: 0x1_0000_0002n, rsi: 0x3_0000_0004n });
  assert.deepEqual([end.rbx, end.rsi], [4n, 2n]);
  guestView.setUint32(at, 9, true);
  const memory = program('XCHG', 'Ev,Gv', { registerForm: false })({ r9: pointer, rsi: 5n });
  assert.deepEqual([memory.rsi, guestView.getUint32(at, true)], [9n, 5]);
});

test('XCHG and XADD that fault leave the source register', () => {
  for (const mnemonic of ['XCHG', 'XADD']) {
    const end = program(mnemonic, 'Ev,Gv', { registerForm: false })({ r9: BigInt(guestMap.readOnly), rsi: 5n });
    assert.deepEqual([end.outcome, end.rsi], [14, 5n]);
  }
});

test('XADD: sum to the destination, old value to the source', () => {
  const operands = new Operands();
  for (const bits of widths) {
    const run = program('XADD', columns(bits), { operandSize: sizeOf(bits) });
    for (let i = 0; i < 100; i++) {
      const start = { rbx: operands.register(bits), rsi: operands.register(bits) };
      const expected = sum(cut(start.rbx, bits), cut(start.rsi, bits), 0n, bits, false);
      const end = run(start);
      assert.equal(end.rbx, merged(start.rbx, expected.value, bits));
      assert.equal(end.rsi, merged(start.rsi, cut(start.rbx, bits), bits));
      assert.equal(end.flags, expected.flags);
    }
  }
});

test('CMPXCHG with registers: what is not exchanged is not touched, not even zero-extended', () => {
  const operands = new Operands();
  for (const bits of widths) {
    const run = program('CMPXCHG', columns(bits), { operandSize: sizeOf(bits) });
    for (let i = 0; i < 100; i++) {
      const rax = operands.register(bits);
      const rbx = operands.number(2) === 0 ? operands.register(bits) : merged(operands.bits(64), rax, bits);
      const start = { rax, rbx, rsi: operands.register(bits) };
      const equal = cut(rax, bits) === cut(rbx, bits);
      const end = run(start);
      assert.equal(end.flags, sum(cut(rax, bits), cut(rbx, bits), 0n, bits, true).flags);
      assert.equal(end.rax, equal ? rax : merged(rax, cut(rbx, bits), bits));
      assert.equal(end.rbx, equal ? merged(rbx, start.rsi, bits) : rbx);
    }
  }
});

test('CMPXCHG with memory needs write access even if the comparison fails', () => {
  const run = program('CMPXCHG', 'Ev,Gv', { registerForm: false });
  guestView.setUint32(at, 7, true);
  assert.equal(run({ r9: pointer, rax: 7n, rsi: 8n }).rax, 7n);
  assert.equal(guestView.getUint32(at, true), 8);
  const failed = run({ r9: pointer, rax: (1n << 40n) | 7n, rsi: 9n });
  assert.deepEqual([failed.rax, guestView.getUint32(at, true)], [8n, 8]);
  assert.equal(run({ r9: BigInt(guestMap.readOnly), rax: 1n }).outcome, 14);
});

test('CMPXCHG8B and CMPXCHG16B change ZF alone', () => {
  const narrow = program('CMPXCHG8B', 'Mq', { registerForm: false });
  guestView.setBigUint64(at, 0x1111_1111_2222_2222n, true);
  const start = {
    r9: pointer,
    rdx: 0x1111_1111n,
    rax: 0x2222_2222n,
    rcx: 0x33n,
    rbx: 0x44n,
    flags: allFlags & ~flagBit.zf,
  };
  assert.equal(narrow(start).flags, allFlags);
  assert.equal(guestView.getBigUint64(at, true), 0x33_0000_0044n);
  const failed = narrow({ ...start, flags: allFlags });
  assert.deepEqual([failed.rdx, failed.rax, failed.flags], [0x33n, 0x44n, allFlags & ~flagBit.zf]);

  const wide = program('CMPXCHG16B', 'Mdq', { operandSize: 64, registerForm: false });
  guestView.setBigUint64(at + 8, 5n, true);
  const equal = wide({ r9: pointer, rdx: 5n, rax: 0x33_0000_0044n, rcx: 6n, rbx: 7n });
  assert.equal(equal.flags, flagBit.zf);
  assert.deepEqual([guestView.getBigUint64(at, true), guestView.getBigUint64(at + 8, true)], [7n, 6n]);
  const different = wide({ r9: pointer, rdx: 6n, rax: 0n, rcx: 1n, rbx: 1n });
  assert.deepEqual([different.rdx, different.rax, different.flags], [6n, 7n, 0]);
  assert.equal(wide({ r9: pointer + 8n }).outcome, 13);
});
