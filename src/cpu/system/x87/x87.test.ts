import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatException, x87Condition } from '../../../spec/x86/floating-point.ts';
import { cr0, eflags } from '../../../spec/x86/registers.ts';
import { x87Status } from '../../../spec/x86/x87.ts';
import { FpuRegisters } from '../../state/fpu-registers.ts';
import { bareMachine } from '../../testing/bare-machine.ts';
import { place, runCode, runRealCode } from '../../testing/run-code.ts';

const machine = bareMachine();
const { vcpu, memory } = machine;
const fpu = new FpuRegisters(vcpu.state.view);

// Machine code
const fninit = [0xdb, 0xe3];
const fld1 = [0xd9, 0xe8];
const fldz = [0xd9, 0xee];
const fnop = [0xd9, 0xd0];
const fwait = [0x9b];
const fnclex = [0xdb, 0xe2];
/** An instruction with ModRM /digit and the absolute address `address`. */
const absolute = (opcode: readonly number[], digit: number, address: number): number[] => [
  ...opcode,
  (digit << 3) | 4,
  0x25,
  address & 0xff,
  (address >> 8) & 0xff,
  (address >> 16) & 0xff,
  address >>> 24,
];
const fldcw = (address: number): number[] => absolute([0xd9], 5, address);
const fnstenv = (address: number): number[] => absolute([0xd9], 6, address);
const times = (count: number, code: readonly number[]): number[] => Array.from({ length: count }, () => code).flat();

const control = place.data + 0x100;
const { data } = place;
const { c0, c1, c2, c3 } = x87Condition;
const topOf = (fsw: number): number => (fsw >> 11) & 7;
const st = (i: number): { significand: bigint; signExponent: number } => fpu.read(topOf(fpu.fsw) + i);
const one = { significand: 1n << 63n, signExponent: 0x3fff };
const indefinite = { significand: 0xc000_0000_0000_0000n, signExponent: 0xffff };

/** FNINIT with this control word, then `code`. */
function run(code: readonly number[], fcw = 0x37f, setUp: () => void = () => {}) {
  memory.writeU16(control, fcw);
  return runCode(machine, [...fninit, ...fldcw(control), ...code], setUp);
}

const prefix = fninit.length + fldcw(control).length;

test('after RESET the registers are zero and not empty; FNINIT empties them', () => {
  vcpu.reset();
  assert.equal(fpu.fcw, 0x40);
  runCode(machine, fnstenv(data));
  assert.equal(memory.readU16(data + 8), 0x5555);
  runCode(machine, [...fninit, ...fnstenv(data)]);
  assert.deepEqual(
    [0, 4, 8].map((at) => memory.readU16(data + at)),
    [0x37f, 0, 0xffff],
  );
});

test('stack overflow, masked: the indefinite is pushed, IE, SF and C1 are set', () => {
  run(times(9, fld1));
  assert.equal(fpu.fsw & (0xff | c1), floatException.invalid | x87Status.sf | c1);
  assert.equal(topOf(fpu.fsw), 7);
  assert.deepEqual(st(0), indefinite);
  assert.deepEqual(st(1), one);
});

test('stack overflow, unmasked: nothing is pushed; the next waiting instruction raises #MF, FNSTSW does not', () => {
  const fnstsw = [0xdf, 0xe0];
  const ran = run([...times(9, fld1), ...fnstsw, ...fnop], 0x37e);
  assert.equal(ran.vector, 16);
  assert.equal(ran.faultOffset, prefix + 18 + 2);
  assert.equal(topOf(fpu.fsw), 0);
  assert.deepEqual(st(0), one);
  assert.equal(vcpu.state.gpr32(0) & 0x80c1, 0x80c1);
});

test('stack underflow, masked: stores give the indefinite of their type', () => {
  memory.writeU32(data, 0);
  run(absolute([0xd9], 3, data));
  assert.equal(memory.readU32(data), 0xffc0_0000);
  assert.equal(fpu.fsw & (0xff | c1), floatException.invalid | x87Status.sf);
  assert.equal(topOf(fpu.fsw), 1);
  run(absolute([0xdf], 7, data));
  assert.equal(memory.readU64(data), 1n << 63n);
  run(absolute([0xdf], 6, data));
  assert.deepEqual([memory.readU64(data), memory.readU16(data + 8)], [0xc000_0000_0000_0000n, 0xffff]);
});

test('stack underflow, unmasked: memory is not touched, not even where nothing is mapped', () => {
  const ran = run(absolute([0xd9], 3, place.unmapped), 0x37e);
  assert.equal(ran.vector, undefined);
  assert.equal(topOf(fpu.fsw), 0);
  assert.equal(fpu.fdp, BigInt(place.unmapped));
  assert.equal(fpu.fop, 0x11c);
});

test('a store that faults changes nothing', () => {
  const stores = [
    absolute([0xd9], 3, place.unmapped),
    absolute([0xdb], 7, place.unmapped),
    absolute([0xdf], 7, place.unmapped - 4),
  ];
  for (const store of stores) {
    const ran = run([...fld1, ...store]);
    assert.equal(ran.vector, 14);
    assert.equal(ran.faultAddress, BigInt(place.unmapped));
    assert.equal(fpu.fsw, 0x3800);
    assert.equal(fpu.valid, 0x80);
    assert.equal(fpu.fip, BigInt(place.code + prefix));
  }
});

test('an unmasked inexact store stores, pops and is reported by the next instruction', () => {
  const ran = run([0xd9, 0xeb, ...absolute([0xd9], 3, data), ...fwait], 0x35f);
  assert.equal(memory.readU32(data), 0x4049_0fdb);
  assert.equal(ran.vector, 16);
  assert.equal(topOf(fpu.fsw), 0);
  assert.equal(fpu.fip, BigInt(place.code + prefix + 2));
  assert.equal(fpu.fop, 0x11c);
  assert.equal(fpu.fdp, BigInt(data));
});

test('FNCLEX drops what is pending', () => {
  const ran = run([...times(9, fld1), ...fnclex, ...fnop], 0x37e);
  assert.equal(ran.vector, undefined);
  assert.equal(fpu.fsw & 0x80ff, 0);
});

test('FLDCW that unmasks a raised exception makes it pending', () => {
  const ran = run([...times(9, fld1), ...fldcw(control + 2), ...fnop], 0x37f, () =>
    memory.writeU16(control + 2, 0x37e),
  );
  assert.equal(ran.vector, 16);
});

test('tags tell zero, valid, special and empty apart', () => {
  memory.writeU32(data, 0x7f80_0000);
  run([...fld1, ...fldz, ...absolute([0xd9], 0, data), ...fnstenv(data + 16)]);
  // Physical registers 7, 6, 5 hold 1, 0 and infinity.
  assert.equal(memory.readU16(data + 16 + 8), 0b00_01_10_11_11_11_11_11);
  assert.equal(fpu.fcw & 0x3f, 0x3f);
});

test('FNSAVE initializes, FRSTOR brings everything back', () => {
  const fnsave = absolute([0xdd], 6, data);
  run([...fldz, ...fld1, ...fnsave]);
  assert.deepEqual([fpu.fcw, fpu.fsw, fpu.valid], [0x37f, 0, 0]);
  assert.equal(memory.readU64(data + 28), one.significand);
  assert.equal(memory.readU16(data + 36), one.signExponent);
  run(absolute([0xdd], 4, data));
  assert.equal(topOf(fpu.fsw), 6);
  assert.equal(fpu.valid, 0xc0);
  assert.deepEqual(st(0), one);
  assert.deepEqual(st(1), { significand: 0n, signExponent: 0 });
});

test('real-mode environments hold opcode and 20- or 32-bit pointers', () => {
  const words = [0x37f, 0x4700, 0xffff, 0x2345, 0x1000 | 0x5a5, 0x6789, 0xf000];
  for (const [position, word] of words.entries()) memory.writeU16(data + position * 2, word);
  runRealCode(machine, [0xd9, 0x26, 0, 0, 0xd9, 0x36, 0x40, 0]);
  assert.deepEqual([fpu.fip, fpu.fop, fpu.fdp], [0x1_2345n, 0x5a5, 0xf_6789n]);
  assert.deepEqual(
    words.map((_, position) => memory.readU16(data + 0x40 + position * 2)),
    words,
  );
  const wide = [0xffff_037f, 0xffff_4700, 0xffff_ffff, 0xffff_2345, 0x0876_5000 | 0x5a5, 0xffff_6789, 0x0432_1000];
  for (const [position, word] of wide.entries()) memory.writeU32(data + position * 4, word);
  runRealCode(machine, [0x66, 0xd9, 0x26, 0, 0, 0x66, 0xd9, 0x36, 0x40, 0]);
  assert.deepEqual([fpu.fip, fpu.fop, fpu.fdp], [0x8765_2345n, 0x5a5, 0x4321_6789n]);
  assert.deepEqual(
    wide.map((_, position) => memory.readU32(data + 0x40 + position * 4)),
    wide,
  );
});

test('FCOMI sets EFLAGS, FCOM the condition codes; an unordered result is pending when #IA is unmasked, and still seen', () => {
  run([...fldz, ...fld1, 0xdb, 0xf1]);
  assert.equal(vcpu.state.eflags & 0x8d5, 0);
  run([...fld1, ...fldz, 0xdb, 0xf1]);
  assert.equal(vcpu.state.eflags & 0x8d5, eflags.cf);
  run([...fld1, ...fldz, 0xd8, 0xd1]);
  assert.equal(fpu.fsw & (c0 | c2 | c3), c0);
  run([0xd8, 0xd1], 0x37e);
  assert.equal(fpu.fsw & (c0 | c2 | c3), c0 | c2 | c3);
  assert.equal(fpu.fsw & x87Status.summary, x87Status.summary);
});

test('CR0.TS raises #NM; WAIT needs CR0.MP for it', () => {
  const set = (bits: number) => () => vcpu.state.set64('cr0', vcpu.state.get64('cr0') | BigInt(bits));
  run([]);
  assert.equal(runCode(machine, fld1, set(cr0.ts)).vector, 7);
  assert.equal(runCode(machine, fninit, set(cr0.em)).vector, 7);
  assert.equal(runCode(machine, fwait, set(cr0.ts)).vector, undefined);
  assert.equal(runCode(machine, fwait, set(cr0.ts | cr0.mp)).vector, 7);
});

test('FPTAN pushes 1, and beyond 2^63 sets C2 and leaves the operand', () => {
  run([...fldz, 0xd9, 0xf2]);
  assert.deepEqual(st(0), one);
  assert.equal(topOf(fpu.fsw), 6);
  memory.writeU64(data, 0n);
  memory.writeU32(data, 0x5f00_0000);
  run([...absolute([0xd9], 0, data), 0xd9, 0xf2]);
  assert.equal(fpu.fsw & c2, c2);
  assert.deepEqual(st(0), { significand: 1n << 63n, signExponent: 0x3fff + 63 });
});

test('FXCH exchanges, FFREE empties, FINCSTP and FDECSTP turn the stack', () => {
  run([...fldz, ...fld1, 0xd9, 0xc9, 0xdd, 0xc1, 0xd9, 0xf7, 0xd9, 0xf6]);
  assert.deepEqual(st(0), { significand: 0n, signExponent: 0 });
  assert.equal(fpu.valid, 0x40);
  assert.equal(topOf(fpu.fsw), 6);
});
