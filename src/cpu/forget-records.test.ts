/** A processor that has forgotten what it decoded goes on as if nothing had been, with its regions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEflags } from './state/flags.ts';
import { type BareMachine, bareMachine } from './testing/bare-machine.ts';
import { program, randomProgram, randomStream } from './translate/testing/random-program.ts';
import { load, run } from './translate/testing/run-program.ts';

/** Forgets, and loses what was to hold nothing then, as a host does that takes the memory back. */
function forget({ vcpu }: BareMachine): void {
  const memory = new Uint8Array(vcpu.state.view.buffer);
  for (const [from, to] of vcpu.forgetRecords()) {
    assert.ok(from > 0 && from < to && to <= memory.length);
    memory.fill(0, from, Math.min(to, from + (4 << 20)));
  }
}

function runOn({ vcpu }: BareMachine, rip: number): void {
  vcpu.state.rip = BigInt(rip);
  vcpu.halted = false;
  for (let n = 0; n < 1000 && vcpu.run(10_000) === 'budget'; n++);
  assert.ok(vcpu.halted);
}

for (const mode of ['never', 'hot', 'always', 'staying'] as const) {
  test(`random programs end in the same state when all is forgotten again and again: ${mode}`, () => {
    const target = bareMachine(4, mode);
    const plain = bareMachine(4, 'never');
    for (let seed = 101; seed <= 120; seed++) {
      const code = randomProgram(randomStream(seed));
      const expected = run(plain, code, 1_000_000);
      load(target, code);
      const { vcpu, memory } = target;
      for (let n = 0; n < 20_000 && vcpu.run(300) === 'budget'; n++) if (n < 20 || n % 16 === 0) forget(target);
      const registers = Array.from({ length: 16 }, (_, n) => vcpu.state.gpr(n).toString(16));
      const data = Array.from({ length: 64 }, (_, n) => memory.readU64(program.data + n * 8).toString(16));
      const flags = readEflags(vcpu.state.view);
      const actual = [vcpu.halted, vcpu.state.rip.toString(16), flags, ...registers, ...data].join(' ');
      assert.equal(actual, expected, `seed ${seed}`);
    }
  });
}

/** In one page a loop (add rax, 1; jmp to the next page), which ends in another: add rcx, 1; dec edx; jnz to its begin; hlt. */
const first = [0x48, 0x83, 0xc0, 0x01, 0xe9, 0xf7, 0x0f, 0, 0];
const second = [0x48, 0x83, 0xc1, 0x01, 0xff, 0xca, 0x0f, 0x85, 0xf4, 0xef, 0xff, 0xff, 0xf4];
/** mov byte [program.code + offset], 2; hlt, in a third page */
function writer(offset: number): number[] {
  const at = program.code + offset;
  return [0xc6, 0x04, 0x25, at & 0xff, (at >> 8) & 0xff, (at >> 16) & 0xff, 0, 0x02, 0xf4];
}
const patch = 0x2000;
const patched = 0x1003;
const besides = 0x2100;
const before = 0x2180;

/** @returns a machine that has made a region of the loop, which is entered in its first page alone */
function withRegion(): BareMachine {
  const machine = bareMachine(4, 'hot');
  const code = new Uint8Array(0x2200);
  code.set(first);
  code.set(second, 0x1000);
  code.set(writer(patched), patch);
  code.set(writer(0x1800), besides);
  code.set([0x90, 0x90, 0xf4], before);
  load(machine, code);
  machine.vcpu.state.setGpr(0, 0n);
  machine.vcpu.state.setGpr(1, 0n);
  // So that the loop's records lie elsewhere afterwards.
  runOn(machine, program.code + before);
  runLoop(machine, 100_000);
  assert.equal(machine.vcpu.state.gpr(0), 100_000n);
  return machine;
}

function runLoop(machine: BareMachine, rounds: number): void {
  machine.vcpu.state.setGpr(2, BigInt(rounds));
  runOn(machine, program.code);
}

test('regions outlive the records they were entered by', () => {
  const machine = withRegion();
  const { vcpu } = machine;
  const { regions, dropped } = vcpu.translatorStatistics;
  assert.ok(regions > 0);
  const { records } = vcpu;
  forget(machine);
  assert.ok(vcpu.records < records);
  const interpreted = Number(vcpu.statistics().interpretedInstructions);
  runLoop(machine, 100_000);
  assert.equal(vcpu.state.gpr(0), 200_000n);
  assert.ok(Number(vcpu.statistics().interpretedInstructions) - interpreted < 1000);
  assert.deepEqual(
    [vcpu.translatorStatistics.regions, vcpu.translatorStatistics.dropped],
    [regions, dropped],
    'none was made, none was lost',
  );
});

test('code of a region is watched though nothing of it is decoded', () => {
  const machine = withRegion();
  const { vcpu } = machine;
  forget(machine);
  runOn(machine, program.code + patch);
  runLoop(machine, 100_000);
  assert.equal(vcpu.state.gpr(1), 300_000n);
});

test('a write beside the code of a region leaves it alone', () => {
  const machine = withRegion();
  const { vcpu } = machine;
  forget(machine);
  const { dropped } = vcpu.translatorStatistics;
  runOn(machine, program.code + besides);
  assert.equal(vcpu.translatorStatistics.dropped, dropped);
  runLoop(machine, 100_000);
  assert.equal(vcpu.state.gpr(1), 200_000n);
});

test('what comes in the place of code that was forgotten runs', () => {
  const machine = bareMachine(4, 'never');
  load(machine, new Uint8Array([0xb0, 0x11, 0xf4])); // mov al, 0x11; hlt
  runOn(machine, program.code);
  forget(machine);
  machine.memory.write(program.code + 1, new Uint8Array([0x22]));
  runOn(machine, program.code);
  assert.equal(machine.vcpu.state.gpr(0) & 0xffn, 0x22n);
});

test('an instruction that two pages share runs again', () => {
  const machine = bareMachine(4, 'never');
  const code = new Uint8Array(0x1010);
  code.set([0xb8, 0x44, 0x33, 0x22, 0x11, 0xf4], 0xffe); // mov eax, 0x11223344; hlt
  load(machine, code);
  for (let n = 0; n < 3; n++) {
    machine.vcpu.state.setGpr(0, 0n);
    runOn(machine, program.code + 0xffe);
    assert.equal(machine.vcpu.state.gpr(0), 0x1122_3344n);
    forget(machine);
  }
});
