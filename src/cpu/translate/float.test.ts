import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr4 } from '../../spec/x86/registers.ts';
import { state } from '../state/layout.ts';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { floatData, floatInstruction, randomControl, randomNumber } from './testing/random-float.ts';
import { program, type Random, randomProgram, randomStream } from './testing/random-program.ts';

const modes = ['never', 'always', 'staying', 'hot', 'verify'] as const;
type Mode = (typeof modes)[number];

function load(machine: BareMachine, code: Uint8Array, random: Random, wildness: number): void {
  const { vcpu, memory } = machine;
  const { view } = vcpu.state;
  enterLongMode(machine, program.code);
  memory.write(program.code, code);
  for (let at = 0; at < floatData.controls; at += 8) memory.writeU64(program.data + at, randomNumber(random, wildness));
  for (let n = 0; n < floatData.controlCount; n++) {
    memory.writeU32(program.data + floatData.controls + n * 4, randomControl(random));
  }
  for (let n = 0; n < 16; n++) vcpu.state.setGpr(n, BigInt(random(2000) - 1000) * (n === 2 ? 0x1_0000_0001n : 1n));
  vcpu.state.setGpr(3, BigInt(program.data));
  vcpu.state.setGpr(4, BigInt(program.stack));
  for (let n = 0; n < 32; n++) view.setBigUint64(state.xmm + n * 8, randomNumber(random, wildness), true);
  view.setUint32(state.mxcsr, randomControl(random), true);
  vcpu.state.eflags = 2;
  vcpu.state.setTable('idtr', 0n, 0);
  vcpu.halted = false;
}

/** Runs to HLT, or the shutdown that an unmasked exception is, in slices. @returns what the program can have changed. */
function run(machine: BareMachine, code: Uint8Array, seed: number, slice: number): string {
  load(machine, code, randomStream(seed), seed % 3);
  const { vcpu, memory } = machine;
  let exit = 'budget';
  for (let n = 0; n < 20_000 && exit === 'budget'; n++) exit = vcpu.run(slice);
  const { view } = vcpu.state;
  const hex = (values: bigint[]): string => values.map((value) => value.toString(16)).join(' ');
  return [
    exit,
    vcpu.state.rip.toString(16),
    view.getUint32(state.mxcsr, true).toString(16),
    hex([0, 2, 6].map((n) => vcpu.state.gpr(n))),
    hex(Array.from({ length: 12 }, (_, n) => view.getBigUint64(state.xmm + n * 8, true))),
    hex(Array.from({ length: 14 }, (_, n) => memory.readU64(program.data + n * 8))),
  ].join('\n');
}

test('random floating-point programs end in the same state interpreted, translated and in lockstep', () => {
  const machines = new Map<Mode, BareMachine>(modes.map((mode) => [mode, bareMachine(4, mode)]));
  const machine = (mode: Mode): BareMachine => machines.get(mode) as BareMachine;
  for (let seed = 1; seed <= 40; seed++) {
    const code = randomProgram(randomStream(seed), floatInstruction);
    const expected = run(machine('never'), code, seed, 1_000_000);
    for (const mode of ['always', 'staying', 'hot', 'verify'] as const) {
      assert.equal(run(machine(mode), code, seed, 1_000_000), expected, `seed ${seed}, ${mode}`);
      assert.equal(run(machine(mode), code, seed, 7), expected, `seed ${seed}, ${mode}, slices of 7`);
    }
  }
});

/** Runs `code` from registers of 1.5 in slices, until something ends it. */
function runPlain(machine: BareMachine, code: readonly number[], setUp: () => void = () => {}): string {
  load(machine, new Uint8Array(code), randomStream(1), 0);
  const { vcpu } = machine;
  for (let n = 0; n < 32; n++) vcpu.state.view.setBigUint64(state.xmm + n * 8, 0x3ff8_0000_0000_0000n, true);
  vcpu.state.view.setUint32(state.mxcsr, 0x1fa0, true);
  setUp();
  vcpu.modeChanged();
  let exit = 'budget';
  for (let n = 0; n < 1000 && exit === 'budget'; n++) exit = vcpu.run(1000);
  return exit;
}

const xmmOf = ({ vcpu }: BareMachine, number: number): readonly number[] =>
  [0, 8].map((at) => vcpu.state.view.getFloat64(state.xmm + number * 16 + at, true));

test('a fault in the middle of a region leaves the xmm registers of the instruction before it', () => {
  for (const mode of modes) {
    const machine = bareMachine(4, mode);
    // addsd xmm0, xmm1; mulpd xmm2, xmm2; addsd xmm0, [0x40000000]; addsd xmm0, xmm1; hlt
    const code = [0xf2, 0x0f, 0x58, 0xc1, 0x66, 0x0f, 0x59, 0xd2, 0xf2, 0x0f, 0x58, 0x04, 0x25, 0, 0, 0, 0x40];
    assert.equal(runPlain(machine, [...code, 0xf2, 0x0f, 0x58, 0xc1, 0xf4]), 'shutdown', mode);
    assert.equal(machine.vcpu.state.get64('cr2'), 0x4000_0000n, mode);
    assert.equal(machine.vcpu.state.rip, BigInt(program.code + 8), mode);
    assert.deepEqual(
      [xmmOf(machine, 0), xmmOf(machine, 2)],
      [
        [3, 1.5],
        [2.25, 2.25],
      ],
      mode,
    );
  }
});

test('an unmasked exception in the middle of a region has its flag set and its operands unchanged', () => {
  for (const mode of modes) {
    const machine = bareMachine(4, mode);
    // addsd xmm0, xmm1; xorpd xmm3, xmm3; divsd xmm0, xmm3; addsd xmm0, xmm1; hlt
    const code = [0xf2, 0x0f, 0x58, 0xc1, 0x66, 0x0f, 0x57, 0xdb, 0xf2, 0x0f, 0x5e, 0xc3, 0xf2, 0x0f, 0x58, 0xc1, 0xf4];
    const unmasked = 0x1fa0 & ~0x200;
    const setUp = (): void => machine.vcpu.state.view.setUint32(state.mxcsr, unmasked, true);
    assert.equal(runPlain(machine, code, setUp), 'shutdown', mode);
    assert.equal(machine.vcpu.state.rip, BigInt(program.code + 8), mode);
    assert.deepEqual(
      [xmmOf(machine, 0), xmmOf(machine, 3)],
      [
        [3, 1.5],
        [0, 0],
      ],
      mode,
    );
    assert.equal(machine.vcpu.state.view.getUint32(state.mxcsr, true), unmasked | 4, mode);
  }
});

test('SSE that the operating system does not know of is refused on every way', () => {
  // test eax, eax; jnz L; addsd xmm0, xmm1; hlt; L: mulsd xmm0, xmm0; hlt
  const code = [0x85, 0xc0, 0x75, 0x05, 0xf2, 0x0f, 0x58, 0xc1, 0xf4, 0xf2, 0x0f, 0x59, 0xc0, 0xf4];
  for (const mode of modes) {
    for (const [rax, at] of [
      [0n, 4],
      [1n, 9],
    ] as const) {
      const machine = bareMachine(4, mode);
      // Once with SSE, so that both ways are known.
      for (const value of [0n, 1n])
        assert.equal(
          runPlain(machine, code, () => machine.vcpu.state.setGpr(0, value)),
          'halt',
        );
      const setUp = (): void => {
        machine.vcpu.state.set64('cr4', machine.vcpu.state.get64('cr4') & ~BigInt(cr4.osfxsr));
        machine.vcpu.state.setGpr(0, rax);
      };
      assert.equal(runPlain(machine, code, setUp), 'shutdown', mode);
      assert.equal(machine.vcpu.state.rip, BigInt(program.code + at), mode);
    }
  }
});
