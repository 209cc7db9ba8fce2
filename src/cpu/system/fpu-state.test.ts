import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr0, cr4 } from '../../spec/x86/registers.ts';
import { fxImage, xsaveHeader } from '../../spec/x86/x87.ts';
import { FpuRegisters } from '../state/fpu-registers.ts';
import { state } from '../state/layout.ts';
import { bareMachine } from '../testing/bare-machine.ts';
import { place, runCode } from '../testing/run-code.ts';

const machine = bareMachine();
const { vcpu, memory } = machine;
const { view } = vcpu.state;
const fpu = new FpuRegisters(view);
const [rax, rdx, rdi] = [0, 2, 7];
const { data } = place;

// 0F AE /digit with [RDI], with or without REX.W
const fxsave = [0x0f, 0xae, 0x07];
const fxsave64 = [0x48, ...fxsave];
const fxrstor64 = [0x48, 0x0f, 0xae, 0x0f];
const xsave64 = [0x48, 0x0f, 0xae, 0x27];
const xrstor64 = [0x48, 0x0f, 0xae, 0x2f];
const xsaveopt64 = [0x48, 0x0f, 0xae, 0x37];
const fninit = [0xdb, 0xe3];
const fld1 = [0xd9, 0xe8];
const fldpi = [0xd9, 0xeb];

interface Options {
  readonly address?: number;
  readonly mask?: number;
  readonly noOsxsave?: true;
  readonly noOsfxsr?: true;
  readonly cr0?: number;
}

function run(code: readonly number[], options: Options = {}) {
  return runCode(machine, code, () => {
    const cpu = vcpu.state;
    cpu.setGpr(rdi, BigInt(options.address ?? data));
    cpu.setGpr(rax, BigInt(options.mask ?? 3));
    cpu.setGpr(rdx, 0n);
    let bits = cpu.get64('cr4') | BigInt(cr4.osxsave);
    if (options.noOsxsave) bits &= ~BigInt(cr4.osxsave);
    if (options.noOsfxsr) bits &= ~BigInt(cr4.osfxsr);
    cpu.set64('cr4', bits);
    cpu.set64('xcr0', 3n);
    cpu.set64('cr0', cpu.get64('cr0') | BigInt(options.cr0 ?? 0));
  });
}

function fillXmm(seed: number): void {
  for (let n = 0; n < 16; n++) {
    view.setBigUint64(state.xmm + n * 16, BigInt(seed + n), true);
    view.setBigUint64(state.xmm + n * 16 + 8, BigInt(seed * 1000 + n), true);
  }
}

function fillMemory(address: number, bytes: number, value: number): void {
  memory.write(address, new Uint8Array(bytes).fill(value));
}

const xmmLow = (n: number): bigint => view.getBigUint64(state.xmm + n * 16, true);

test('FXSAVE stores ST in stack order, one tag bit a physical register, and leaves the end of the area alone', () => {
  fillMemory(data, fxImage.size, 0xaa);
  fillXmm(1);
  view.setUint32(state.mxcsr, 0x1fa0, true);
  run([...fninit, ...fld1, ...fldpi, ...fxsave64]);
  assert.equal(memory.readU16(data + fxImage.fcw), 0x37f);
  assert.equal(memory.readU16(data + fxImage.fsw), 0x3000);
  assert.equal(memory.readU8(data + fxImage.ftw), 0xc0);
  assert.equal(memory.readU64(data + fxImage.fip), BigInt(place.code + 4));
  assert.equal(memory.readU32(data + fxImage.mxcsr), 0x1fa0);
  assert.equal(memory.readU32(data + fxImage.mxcsrMask), 0xffff);
  assert.equal(memory.readU64(data + fxImage.st), 0xc90f_daa2_2168_c235n);
  assert.equal(memory.readU64(data + fxImage.st + 8), 0x4000n);
  assert.equal(memory.readU64(data + fxImage.st + 16), 1n << 63n);
  assert.equal(memory.readU64(data + fxImage.xmm + 15 * 16), 16n);
  assert.equal(memory.readU8(data + fxImage.xmmEnd), 0xaa);
});

test('FXRSTOR brings back what FXSAVE stored', () => {
  fillXmm(50);
  view.setUint32(state.mxcsr, 0x9fc0, true);
  run([...fninit, ...fld1, ...fldpi, ...fxsave64]);
  fillXmm(9);
  view.setUint32(state.mxcsr, 0x1f80, true);
  run([...fninit, ...fxrstor64]);
  assert.deepEqual([fpu.fcw, fpu.fsw, fpu.valid, fpu.fip], [0x37f, 0x3000, 0xc0, BigInt(place.code + 4)]);
  assert.deepEqual(fpu.read(6), { significand: 0xc90f_daa2_2168_c235n, signExponent: 0x4000 });
  assert.deepEqual(fpu.read(7), { significand: 1n << 63n, signExponent: 0x3fff });
  assert.equal(view.getUint32(state.mxcsr, true), 0x9fc0);
  assert.equal(xmmLow(15), 65n);
});

test('FXRSTOR of a raised exception that FCW does not mask leaves it pending', () => {
  run([...fninit, ...fxsave64]);
  memory.writeU16(data + fxImage.fcw, 0x37e);
  memory.writeU16(data + fxImage.fsw, 1);
  assert.equal(run([...fxrstor64, 0x9b]).vector, 16);
});

test('areas must be aligned, and MXCSR must have no reserved bits: #GP', () => {
  assert.equal(run(fxsave, { address: data + 8 }).vector, 13);
  assert.equal(run(xsave64, { address: data + 16 }).vector, 13);
  assert.equal(run(xrstor64, { address: data + 32 }).vector, 13);
  run(fxsave64);
  fillXmm(3);
  memory.writeU32(data + fxImage.mxcsr, 0x1_0000);
  fpu.fcw = 0x27f;
  assert.equal(run(fxrstor64).vector, 13);
  assert.equal(fpu.fcw, 0x27f);
});

test('without CR4.OSFXSR the XMM registers stay out of the image', () => {
  fillMemory(data, fxImage.size, 0xaa);
  run(fxsave64, { noOsfxsr: true });
  assert.equal(memory.readU8(data + fxImage.xmm), 0xaa);
});

test('#NM by CR0.TS and CR0.EM for FXSAVE, by CR0.TS alone for XSAVE; #UD without CR4.OSXSAVE', () => {
  assert.equal(run(fxsave64, { cr0: cr0.ts }).vector, 7);
  assert.equal(run(fxsave64, { cr0: cr0.em }).vector, 7);
  assert.equal(run(xsave64, { cr0: cr0.ts }).vector, 7);
  assert.equal(run(xsave64, { cr0: cr0.em }).vector, undefined);
  assert.equal(run(xsave64, { noOsxsave: true, cr0: cr0.ts }).vector, 6);
});

test('an area across pages is stored as a whole or not at all', () => {
  const address = data + 0x1000 - 256;
  fillXmm(7);
  run([...fninit, ...fxsave64], { address });
  assert.equal(memory.readU64(address + fxImage.xmm + 15 * 16), 22n);
  const edge = place.unmapped - 256;
  fillMemory(edge, 256, 0x55);
  const ran = run(fxsave64, { address: edge });
  assert.equal(ran.vector, 14);
  assert.equal(ran.faultAddress, BigInt(edge + fxImage.size - 1));
  assert.equal(memory.readU8(edge), 0x55);
});

test('XSAVE stores the components asked for and says which are in use', () => {
  fillMemory(data, xsaveHeader.end, 0);
  fillXmm(1);
  run([...fninit, ...fld1, ...xsave64], { mask: 2 });
  assert.equal(memory.readU64(data + xsaveHeader.xstateBv), 2n);
  assert.equal(memory.readU16(data + fxImage.fcw), 0);
  run([...fninit, ...fld1, ...xsave64], { mask: 1 });
  assert.equal(memory.readU64(data + xsaveHeader.xstateBv), 3n);
  assert.equal(memory.readU16(data + fxImage.fcw), 0x37f);
});

test('XRSTOR initializes the components that XSTATE_BV lacks', () => {
  run([...fninit, ...fld1, ...xsave64]);
  memory.writeU64(data + xsaveHeader.xstateBv, 0n);
  memory.writeU32(data + fxImage.mxcsr, 0x1f81);
  fillXmm(5);
  run([...fninit, ...fldpi, ...xrstor64]);
  assert.deepEqual([fpu.fcw, fpu.fsw, fpu.valid, fpu.fip], [0x37f, 0, 0, 0n]);
  assert.equal(fpu.read(7).significand, 0n);
  assert.equal(xmmLow(0), 0n);
  // MXCSR comes from the area all the same.
  assert.equal(view.getUint32(state.mxcsr, true), 0x1f81);
});

test('XRSTOR refuses unknown components and the compacted format', () => {
  run(xsave64);
  memory.writeU64(data + xsaveHeader.xstateBv, 4n);
  assert.equal(run(xrstor64).vector, 13);
  memory.writeU64(data + xsaveHeader.xstateBv, 3n);
  memory.writeU64(data + xsaveHeader.xcompBv, 1n << 63n);
  assert.equal(run(xrstor64).vector, 13);
  memory.writeU64(data + xsaveHeader.xcompBv, 0n);
  assert.equal(run(xrstor64).vector, undefined);
});

test('XSAVEOPT leaves out what is in its initial configuration', () => {
  fillMemory(data, xsaveHeader.end, 0xaa);
  memory.writeU64(data + xsaveHeader.xstateBv, 3n);
  run([...fninit, ...xsave64]);
  new Uint8Array(view.buffer, state.xmm, 256).fill(0);
  new Uint8Array(view.buffer, state.fpr, 128).fill(0);
  fillMemory(data, fxImage.size, 0xaa);
  run([...fninit, ...xsaveopt64]);
  assert.equal(memory.readU64(data + xsaveHeader.xstateBv), 0n);
  assert.equal(memory.readU8(data + fxImage.fcw), 0xaa);
  assert.equal(memory.readU8(data + fxImage.xmm), 0xaa);
});
