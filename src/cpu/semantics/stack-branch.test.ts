import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { guestView, program, type RegisterName } from './testing/machine.ts';
import { allFlags, cut, flagBit } from './testing/reference.ts';
import { fsBase, guestMap } from './testing/test-ops.ts';

const pageFault = 14;
const generalProtection = 13;
const boundRange = 5;
const qword = (address: number | bigint): bigint => guestView.getBigUint64(Number(address), true);
const dword = (address: number): number => guestView.getUint32(address, true);
const word = (address: number): number => guestView.getUint16(address, true);

beforeEach(() => {
  for (let i = 0; i < 0x10000; i += 8) guestView.setBigUint64(i, 0n);
});

test('PUSH writes below rSP; POP reads it back', () => {
  const pushed = program('PUSH', 'Zv', { operandSize: 64 })({ rbx: 0x1122_3344_5566_7788n, rsp: 0x1000n });
  assert.equal(pushed.rsp, 0xff8n);
  assert.equal(qword(0xff8), 0x1122_3344_5566_7788n);
  const popped = program('POP', 'Zv', { operandSize: 64 })({ rsp: 0xff8n });
  assert.deepEqual([popped.rbx, popped.rsp], [0x1122_3344_5566_7788n, 0x1000n]);
});

test('PUSH of an immediate is sign-extended; 16-bit pushes move rSP by 2', () => {
  program('PUSH', 'Ibs', { operandSize: 64 })({ rsp: 0x1000n, immediate: -2n });
  assert.equal(qword(0xff8), cut(-2n, 64));
  const narrow = program('PUSH', 'Ibs', { operandSize: 16 })({ rsp: 0x1000n, immediate: -2n });
  assert.deepEqual([narrow.rsp, word(0xffe)], [0xffen, 0xfffe]);
});

test('PUSH that faults leaves rSP; outside 64-bit code rSP wraps within its mask', () => {
  const end = program('PUSH', 'Zv', { operandSize: 64 })({ rsp: BigInt(guestMap.readOnly + 8) });
  assert.deepEqual([end.outcome, end.rsp], [pageFault, BigInt(guestMap.readOnly + 8)]);
  const wrapped = program('POP', 'Zv', { operandSize: 16, long: false });
  const start = { rsp: 0x1234_0000n, stackMask: 0xffffn };
  assert.equal(wrapped(start).rsp, 0x1234_0002n);
});

test('PUSH of a segment register writes 16 bits of a 32-bit slot and zero-extends to 64', () => {
  guestView.setUint32(0xffc, 0xdddd_dddd, true);
  const narrow = program('PUSH', 'ES', { long: false })({ rsp: 0x1000n });
  assert.equal(narrow.rsp, 0xffcn);
  assert.equal(dword(0xffc) >>> 16, 0xdddd);
  const wide = program('PUSH', 'FS', { operandSize: 64 })({ rsp: 0x1000n });
  assert.equal(wide.rsp, 0xff8n);
  assert.equal(dword(0xffc), 0);
});

test('POP of a segment register moves rSP after the load', () => {
  const end = program('POP', 'FS', { operandSize: 64 })({ rsp: 0x1000n });
  assert.deepEqual([end.hostCalls, end.rsp], [1, 0x1008n]);
});

test('POP to memory counts from the incremented rSP, and a fault leaves rSP', () => {
  const run = program('POP', 'Ev', { operandSize: 64, registerForm: false });
  guestView.setBigUint64(0x1000, 77n, true);
  run({ rsp: 0x1000n, r9: 0x800n - fsBase, basedOnStack: true });
  assert.equal(qword(0x808), 77n);
  run({ rsp: 0x1000n, r9: 0x800n - fsBase });
  assert.equal(qword(0x800), 77n);
  const end = run({ rsp: 0x1000n, r9: BigInt(guestMap.readOnly) });
  assert.deepEqual([end.outcome, end.rsp], [pageFault, 0x1000n]);
});

test('PUSHA and POPA round-trip all registers but rSP', () => {
  const start = { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rsp: 0x1000n, rbp: 5n, rsi: 6n, rdi: 7n };
  const pushed = program('PUSHA/PUSHAD', '', { long: false })(start);
  assert.equal(pushed.rsp, 0x1000n - 32n);
  const slots = Array.from({ length: 8 }, (_, i) => dword(0xfe0 + i * 4));
  assert.deepEqual(slots, [7, 6, 5, 0x1000, 4, 3, 2, 1]);
  guestView.setUint32(0xfec, 0x9999, true);
  const popped = program('POPA/POPAD', '', { long: false })({ rsp: 0xfe0n });
  for (const name of Object.keys(start) as RegisterName[])
    assert.equal(popped[name], start[name as keyof typeof start]);
});

test('PUSHA that faults on its last slot changes no register', () => {
  const end = program('PUSHA/PUSHAD', '', { long: false })({ rsp: 12n });
  assert.deepEqual([end.outcome, end.rsp], [pageFault, 12n]);
});

test('ENTER builds frames of every nesting level', () => {
  const run = program('ENTER', 'Iw,Ib', { operandSize: 64 });
  const flat = run({ rsp: 0x1000n, rbp: 0xabcdn, immediate: 0x20n });
  assert.deepEqual([flat.rbp, flat.rsp, qword(0xff8)], [0xff8n, 0xff8n - 0x20n, 0xabcdn]);
  for (let level = 1; level < 34; level++) {
    for (let i = 0; i < 32; i++) guestView.setBigUint64(0x2000 - 8 * (i + 1), BigInt(100 + i), true);
    const end = run({ rsp: 0x1000n, rbp: 0x2000n, immediate: 0x10n, immediate2: level });
    const effective = level & 31;
    assert.equal(end.rbp, 0xff8n);
    assert.equal(qword(0xff8), 0x2000n);
    for (let i = 0; i < effective - 1; i++) assert.equal(qword(0xff0 - 8 * i), BigInt(100 + i));
    if (effective > 0) assert.equal(qword(0xff8 - 8 * effective), 0xff8n);
    assert.equal(end.rsp, 0xff8n - BigInt(8 * effective) - 0x10n);
  }
});

test('ENTER checks a write to the final rSP, and changes nothing when that faults', () => {
  const start = { rsp: 0x1000n, rbp: 7n, immediate: 0x1800n };
  const end = program('ENTER', 'Iw,Ib', { operandSize: 64 })(start);
  assert.deepEqual([end.outcome, end.rsp, end.rbp], [pageFault, 0x1000n, 7n]);
});

test('LEAVE undoes ENTER', () => {
  guestView.setBigUint64(0xff8, 0xabcdn, true);
  const end = program('LEAVE', '', { operandSize: 64 })({ rbp: 0xff8n, rsp: 0x300n });
  assert.deepEqual([end.rbp, end.rsp], [0xabcdn, 0x1000n]);
});

test('CALL and RET', () => {
  const called = program('CALL', 'Jz', { operandSize: 64 })({ rip: 0x40_0005n, immediate: 0x100n, rsp: 0x1000n });
  assert.deepEqual([called.outcome, called.rip, called.rsp, qword(0xff8)], ['jump', 0x40_0105n, 0xff8n, 0x40_0005n]);
  const returned = program('RET', 'Iw', { operandSize: 64 })({ rsp: 0xff8n, immediate: 0x10n });
  assert.deepEqual([returned.rip, returned.rsp], [0x40_0005n, 0x1010n]);
});

test('targets that are not canonical or beyond the limit raise #GP before anything changes', () => {
  const wide = program('CALL', 'Ev', { operandSize: 64 })({ rbx: 1n << 47n, rsp: 0x1000n });
  assert.deepEqual([wide.outcome, wide.rsp, qword(0xff8)], [generalProtection, 0x1000n, 0n]);
  const narrow = program('CALL', 'Jz', { long: false })({
    rip: 0x100n,
    immediate: 0x1000n,
    rsp: 0x1000n,
    codeLimit: 0xfff,
  });
  assert.deepEqual([narrow.outcome, narrow.rsp], [generalProtection, 0x1000n]);
  guestView.setBigUint64(0x1000, 1n << 63n, true);
  const returned = program('RET', '', { operandSize: 64 })({ rsp: 0x1000n });
  assert.deepEqual([returned.outcome, returned.rsp], [generalProtection, 0x1000n]);
  const loop = program('LOOP', 'Jb', { long: false })({ rip: 0xff0n, immediate: 0x20n, rcx: 5n, codeLimit: 0xfff });
  assert.deepEqual([loop.outcome, loop.rcx], [generalProtection, 5n]);
});

test('LOOP counts by address size, LOOPE and LOOPNE look at ZF, JRCXZ at rCX', () => {
  const jumps = (mnemonic: string, start: object, addressSize: 32 | 64 = 64): [string | number, bigint] => {
    const end = program(mnemonic, 'Jb', { operandSize: 64, addressSize })({ immediate: 4n, ...start });
    return [end.outcome, end.rcx];
  };
  assert.deepEqual(jumps('LOOP', { rcx: 2n }), ['jump', 1n]);
  assert.deepEqual(jumps('LOOP', { rcx: 1n }), ['next', 0n]);
  assert.deepEqual(jumps('LOOP', { rcx: 0x1_0000_0001n }, 32), ['next', 0n]);
  assert.deepEqual(jumps('LOOP', { rcx: 0n }), ['jump', cut(-1n, 64)]);
  assert.deepEqual(jumps('LOOPE', { rcx: 2n }), ['next', 1n]);
  assert.deepEqual(jumps('LOOPE', { rcx: 2n, flags: flagBit.zf }), ['jump', 1n]);
  assert.deepEqual(jumps('LOOPNE', { rcx: 2n, flags: flagBit.zf }), ['next', 1n]);
  assert.deepEqual(jumps('JCXZ/JECXZ/JRCXZ', { rcx: 1n << 32n }), ['next', 1n << 32n]);
  assert.deepEqual(jumps('JCXZ/JECXZ/JRCXZ', { rcx: 1n << 32n }, 32), ['jump', 1n << 32n]);
});

test('Jcc jumps on its condition and changes no flags', () => {
  const run = program('JNE', 'Jb', { operandSize: 64 });
  assert.deepEqual(run({ flags: flagBit.zf }).outcome, 'next');
  const end = run({ flags: allFlags & ~flagBit.zf, rip: 0x10n, immediate: -0x10n });
  assert.deepEqual([end.outcome, end.rip, end.flags], ['jump', 0n, allFlags & ~flagBit.zf]);
});

test('BOUND raises #BR outside its signed bounds', () => {
  guestView.setInt32(0x800, -5, true);
  guestView.setInt32(0x804, 5, true);
  const run = program('BOUND', 'Gv,Ma', { long: false, registerForm: false });
  for (const [index, expected] of [
    [-6, boundRange],
    [-5, 'next'],
    [0, 'next'],
    [5, 'next'],
    [6, boundRange],
  ] as const) {
    assert.equal(run({ r9: 0x800n, rsi: cut(BigInt(index), 32) }).outcome, expected);
  }
});
