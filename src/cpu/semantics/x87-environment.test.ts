/** FNSTENV and FLDENV of 64-bit code as emitted, beside the slow path: EFLAGS.AC, which asks for nothing at CPL 0, sends them there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr0, cr4, eflags } from '../../spec/x86/registers.ts';
import { state } from '../state/layout.ts';
import { bareMachine } from '../testing/bare-machine.ts';
import { place, runCode } from '../testing/run-code.ts';

const fnstenv = [0xd9, 0x33]; // [rbx]
const fldenv = [0xd9, 0x23];
const imageBytes = 28;

interface X87 {
  readonly fcw: number;
  readonly fsw: number;
  readonly valid: number;
  readonly fop: number;
  readonly fip: bigint;
  readonly fdp: bigint;
}

const states: readonly X87[] = [
  { fcw: 0x37f, fsw: 0, valid: 0, fop: 0, fip: 0n, fdp: 0n },
  { fcw: 0x1f7f, fsw: 0x7f3f, valid: 0, fop: 0x7ff, fip: 0xffff_ffff_1234_5678n, fdp: 0x8765_4321n },
  // Unmasked exceptions that are pending: FNSTENV masks them.
  { fcw: 0x340, fsw: 0xb8bf, valid: 0, fop: 0x123, fip: 0x40_1000n, fdp: 0x60_2000n },
  { fcw: 0x37f, fsw: 0x3800, valid: 0x80, fop: 0x2d, fip: 1n, fdp: 2n },
];

function run(code: readonly number[], at: number, x87: X87, image: Uint8Array, slow: boolean) {
  const machine = bareMachine(4, 'never');
  const { vcpu, memory } = machine;
  const ran = runCode(machine, code, () => {
    vcpu.state.set64('cr0', vcpu.state.get64('cr0') & ~BigInt(cr0.em | cr0.ts | cr0.am));
    vcpu.state.set64('cr4', vcpu.state.get64('cr4') & ~BigInt(cr4.smap));
    vcpu.state.setFlag(eflags.ac, slow);
    vcpu.state.setGpr(3, BigInt(at));
    const view = new DataView(vcpu.state.bytes.buffer);
    for (const field of ['fcw', 'fsw', 'fop'] as const) view.setUint32(state[field], x87[field], true);
    view.setUint32(state.ftwValid, x87.valid, true);
    for (const field of ['fip', 'fdp'] as const) view.setBigUint64(state[field], x87[field], true);
    memory.write(at, image);
  });
  const slowInstructions = vcpu.statistics().slowInstructions as number;
  const after = vcpu.state.bytes.slice(state.fpr, state.vectorScratch);
  return { ran, after, memory: memory.bytes.slice(at, at + imageBytes), slowInstructions };
}

const words = (...fields: number[]): Uint8Array => new Uint8Array(Uint32Array.from(fields).buffer);
const nothing = new Uint8Array(imageBytes).fill(0xcc);

function compare(code: readonly number[], at: number, x87: X87, image: Uint8Array): number {
  const { slowInstructions, ...fast } = run(code, at, x87, image, false);
  const { slowInstructions: all, ...slow } = run(code, at, x87, image, true);
  assert.deepEqual(fast, slow);
  assert.ok(all > 0);
  return slowInstructions - all;
}

test('FNSTENV stores what the slow path stores, and needs it only where a register is not empty', () => {
  for (const x87 of states) {
    const saved = compare(fnstenv, place.data, x87, nothing);
    assert.equal(saved < 0, x87.valid === 0, `FSW ${x87.fsw}`);
  }
  const [, x87] = states as [X87, X87];
  const { memory } = run(fnstenv, place.data, x87, nothing, false);
  assert.deepEqual(
    memory,
    words(0xffff_1f7f, 0xffff_7f3f, 0xffff_ffff, 0x1234_5678, 0x07ff_0000, 0x8765_4321, 0xffff_0000),
  );
});

test('FLDENV loads what the slow path loads, also pending exceptions and registers that are not empty', () => {
  const [x87] = states as [X87];
  const images = [
    words(0xffff_037f, 0xffff_0000, 0xffff_ffff, 0, 0, 0, 0xffff_0000),
    words(0x1234_ffff, 0x5678_7f3f, 0xabcd_ffff, 0xffff_fff0, 0xffff_1234, 0x8000_0000, 0x1234),
    words(0x0340, 0xb83f, 0xffff, 0x40_1000, 0x0123_0023, 0x60_2000, 0x2b),
    words(0x037f, 0x3800, 0x3fff, 0, 0, 0, 0),
  ];
  assert.deepEqual(
    images.map((image) => compare(fldenv, place.data, x87, image) < 0),
    [true, true, false, false],
  );
});

test('an image that lies in two pages is the slow path’s, as a fault in the second must leave the first alone', () => {
  const [x87] = states as [X87];
  const within = place.data + 4096 - imageBytes;
  assert.ok(compare(fnstenv, within, x87, nothing) < 0);
  assert.equal(compare(fnstenv, within + 1, x87, nothing), 0);
  const before = run(fnstenv, place.unmapped - 8, x87, nothing, false);
  assert.equal(before.ran.vector, 14);
  assert.deepEqual(before.memory, nothing);
});
