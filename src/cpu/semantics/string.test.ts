import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { guestView, program } from './testing/machine.ts';
import { flagBit } from './testing/reference.ts';
import { fsBase, guestMap } from './testing/test-ops.ts';

const pageFault = 14;
const upper = 0x7777_7777_0000_0000n;
const bytes = (address: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => guestView.getUint8(address + i));
const fill = (address: number, ...values: number[]): void => {
  new Uint8Array(guestView.buffer).set(values, address);
};

/** rSI that reaches guest address `address` through the test's FS override. */
const fromSource = (address: number): bigint => BigInt(address) - fsBase;

beforeEach(() => {
  for (let i = 0; i < 0x10000; i += 8) guestView.setBigUint64(i, 0n);
});

test('MOVS takes the overridable segment for its source alone', () => {
  fill(0x100, 1, 2, 3, 4, 5, 6, 7, 8);
  const end = program('MOVSW/MOVSD/MOVSQ', 'Yv,Xv', { operandSize: 64 })({ rsi: fromSource(0x100), rdi: 0x200n });
  assert.deepEqual(bytes(0x200, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([end.rsi, end.rdi], [fromSource(0x108), 0x208n]);
});

test('REP MOVS copies rCX elements, backwards with DF', () => {
  fill(0x100, 1, 2, 3, 4, 5);
  const run = program('MOVSB', 'Yb,Xb', { repeat: 0xf3 });
  const forward = run({ rsi: fromSource(0x100), rdi: 0x101n, rcx: 4n });
  assert.deepEqual(bytes(0x100, 5), [1, 1, 1, 1, 1]);
  assert.deepEqual([forward.outcome, forward.rcx, forward.rsi, forward.rdi], ['next', 0n, fromSource(0x104), 0x105n]);
  fill(0x100, 1, 2, 3, 4, 5);
  const backward = run({ rsi: fromSource(0x103), rdi: 0x104n, rcx: 4n, direction: true });
  assert.deepEqual(bytes(0x100, 5), [1, 1, 2, 3, 4]);
  assert.deepEqual([backward.rcx, backward.rsi, backward.rdi], [0n, fromSource(0xff), 0x100n]);
});

test('a fault in the middle of REP MOVS leaves the registers at the element that faulted', () => {
  const run = program('MOVSB', 'Yb,Xb', { repeat: 0xf3 });
  fill(0x100, 1, 2, 3, 4, 5);
  const end = run({ rsi: fromSource(0x100), rdi: BigInt(guestMap.readOnly - 3), rcx: 5n });
  assert.equal(end.outcome, pageFault);
  assert.deepEqual([end.rcx, end.rsi, end.rdi], [2n, fromSource(0x103), BigInt(guestMap.readOnly)]);
  assert.deepEqual(bytes(guestMap.readOnly - 3, 3), [1, 2, 3]);
});

test('a long REP STOS restarts so that interrupts get in, and comes to its end', () => {
  const run = program('STOSB', 'Yb,AL', { repeat: 0xf3 });
  let now = run({ rax: 0x5an, rdi: 0x1000n, rcx: 10000n, repeatLimit: 4096 });
  let restarts = 0;
  while (now.outcome === 'restart') {
    restarts++;
    assert.ok(now.rcx > 0n && now.rcx + now.rdi === 0x1000n + 10000n);
    now = run({ ...now, repeatLimit: 4096 });
  }
  assert.equal(now.outcome, 'next');
  assert.ok(restarts >= 1);
  assert.deepEqual(bytes(0x1000 + 9999, 2), [0x5a, 0]);
});

test('REP with rCX = 0 touches no memory; with 32-bit addresses it clears upper halves', () => {
  const far = { rsi: upper, rdi: upper, rcx: upper } as const;
  const wide = program('STOSB', 'Yb,AL', { repeat: 0xf3 });
  const idle = wide({ rdi: upper, rcx: 0n });
  assert.deepEqual([idle.outcome, idle.rdi], ['next', upper]);
  const narrow = program('MOVSB', 'Yb,Xb', { repeat: 0xf3, addressSize: 32 })(far);
  assert.deepEqual([narrow.outcome, narrow.rcx, narrow.rsi, narrow.rdi], ['next', 0n, 0n, 0n]);
});

test('16-bit addresses wrap and leave the rest of the registers', () => {
  const run = program('STOSB', 'Yb,AL', { repeat: 0xf3, addressSize: 16, long: false });
  const end = run({ rax: 1n, rdi: 0xaaaa_0001n, rcx: 0xbbbb_0003n, direction: true });
  // 1, 0, then FFFF, which faults in the test's memory.
  assert.deepEqual([end.outcome, end.rdi, end.rcx], [pageFault, 0xaaaa_ffffn, 0xbbbb_0001n]);
  assert.deepEqual(bytes(0, 2), [1, 1]);
});

test('32-bit addresses in 64-bit code zero-extend the registers that move', () => {
  const run = program('LODSB', 'AL,Xb', { addressSize: 32 });
  fill(0x140, 0x99);
  const end = run({ rsi: upper | 0x100n, rax: 0x1234n });
  assert.deepEqual([end.rax, end.rsi], [0x1299n, 0x101n]);
});

test('REPE CMPS stops at the first difference, REPNE SCAS at the first match', () => {
  fill(0x100, 1, 2, 3, 9, 5);
  fill(0x200, 1, 2, 3, 4, 5);
  const compare = program('CMPSB', 'Xb,Yb', { repeat: 0xf3 });
  const different = compare({ rsi: fromSource(0x100), rdi: 0x200n, rcx: 5n });
  assert.deepEqual([different.rcx, different.rsi, different.rdi], [1n, fromSource(0x104), 0x204n]);
  assert.equal(different.flags & (flagBit.zf | flagBit.cf), 0);
  const reverse = program('SCASB', 'AL,Yb', { repeat: 0xf2 })({ rax: 3n, rdi: 0x200n, rcx: 5n });
  assert.deepEqual([reverse.rcx, reverse.rdi], [2n, 0x203n]);
  assert.equal(reverse.flags & flagBit.zf, flagBit.zf);
  const below = program('SCASB', 'AL,Yb')({ rax: 0n, rdi: 0x204n });
  assert.equal(below.flags & flagBit.cf, flagBit.cf);
});

test('REPE CMPS with rCX = 0 keeps the flags', () => {
  const end = program('CMPSB', 'Xb,Yb', { repeat: 0xf3 })({ rcx: 0n, flags: flagBit.sf });
  assert.equal(end.flags, flagBit.sf);
});
