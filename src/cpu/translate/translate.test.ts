import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BareMachine, bareMachine } from '../testing/bare-machine.ts';
import { program, randomProgram, randomStream } from './testing/random-program.ts';
import { load, run } from './testing/run-program.ts';

type Mode = 'never' | 'hot' | 'always' | 'staying' | 'verify';

/** Runs in slices of 10,000 instructions, some millions in all. */
function runWhile({ vcpu }: BareMachine, condition: () => boolean): void {
  for (let n = 0; n < 500 && condition(); n++) vcpu.run(10_000);
}

const machines = new Map<Mode, BareMachine>();
const machine = (mode: Mode): BareMachine => {
  const known = machines.get(mode) ?? bareMachine(4, mode);
  machines.set(mode, known);
  return known;
};

test('random programs end in the same state interpreted, translated and in lockstep', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const code = randomProgram(randomStream(seed));
    const expected = run(machine('never'), code, 1_000_000);
    for (const mode of ['always', 'staying', 'hot', 'verify'] as const) {
      assert.equal(run(machine(mode), code, 1_000_000), expected, `seed ${seed}, ${mode}`);
      assert.equal(run(machine(mode), code, 7), expected, `seed ${seed}, ${mode}, slices of 7`);
    }
  }
  assert.ok(machine('always').vcpu.translatorStatistics.regions > 60);
});

test('a loop becomes a region once it is hot, and leaves it when its budget ends', () => {
  const hot = bareMachine(4, 'hot');
  // mov ecx, 5000000; L: add rax, rcx; dec rcx; jnz L; hlt
  load(hot, new Uint8Array([0xb9, 0x40, 0x4b, 0x4c, 0x00, 0x48, 0x01, 0xc8, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0xf4]));
  hot.vcpu.state.setGpr(0, 0n);
  assert.equal(hot.vcpu.run(100_000), 'budget');
  assert.equal(hot.vcpu.translatorStatistics.regions, 1);
  const before = hot.vcpu.instructions;
  assert.equal(hot.vcpu.run(100_000), 'budget');
  assert.ok(hot.vcpu.instructions - before < 101_000);
  while (hot.vcpu.run(1_000_000) === 'budget');
  assert.equal(hot.vcpu.state.gpr(0), (5_000_000n * 5_000_001n) / 2n);
});

test('code that nothing but a region leads to becomes a region, too', () => {
  const hot = bareMachine(4, 'hot');
  const code = new Uint8Array(0x300);
  // mov ecx, 60000; L: mov rdx, r8; cmp ecx, 30000; cmovb rdx, r9; call rdx; dec ecx; jnz L; hlt
  code.set([0xb9, 0x60, 0xea, 0, 0, 0x4c, 0x89, 0xc2, 0x81, 0xf9, 0x30, 0x75, 0, 0, 0x49, 0x0f, 0x42, 0xd1]);
  code.set([0xff, 0xd2, 0xff, 0xc9, 0x75, 0xed, 0xf4], 18);
  code.set([0x48, 0xff, 0xc0, 0xc3], 0x100); // inc rax; ret
  code.set([0x48, 0x83, 0xc0, 0x02, 0xc3], 0x200); // add rax, 2; ret
  load(hot, code);
  hot.vcpu.state.setGpr(0, 0n);
  hot.vcpu.state.setGpr(8, BigInt(program.code + 0x100));
  hot.vcpu.state.setGpr(9, BigInt(program.code + 0x200));
  runWhile(hot, () => hot.vcpu.state.gpr(1) > 30_000n);
  const before = hot.vcpu.translatorStatistics.regions;
  assert.ok(before > 0);
  runWhile(hot, () => !hot.vcpu.halted);
  assert.equal(hot.vcpu.state.gpr(0), 30_001n + 2n * 29_999n);
  assert.ok(hot.vcpu.translatorStatistics.regions > before);
});

test('a loop whose blocks get hot together becomes one region, not one from each of them', () => {
  const hot = bareMachine(4, 'hot');
  const code = new Uint8Array(0x100);
  // mov ecx, 100000; A: inc rax; jmp B; (B, at 0x20) dec r8; jmp C; (C, at 0x40) inc rdx; dec ecx; jnz A; hlt
  code.set([0xb9, 0xa0, 0x86, 0x01, 0, 0x48, 0xff, 0xc0, 0xeb, 0x16]);
  code.set([0x49, 0xff, 0xc8, 0xeb, 0x1b], 0x20);
  code.set([0x48, 0xff, 0xc2, 0xff, 0xc9, 0x75, 0xbe, 0xf4], 0x40);
  load(hot, code);
  for (const number of [0, 2, 8]) hot.vcpu.state.setGpr(number, 0n);
  runWhile(hot, () => !hot.vcpu.halted);
  assert.deepEqual(
    [0, 2, 8].map((number) => BigInt.asIntN(64, hot.vcpu.state.gpr(number))),
    [100_000n, 100_000n, -100_000n],
  );
  const { regions, instructions } = hot.vcpu.translatorStatistics;
  assert.deepEqual({ regions, instructions }, { regions: 1, instructions: 7 });
});

test('a region ends where a long one begins, instead of having its code once more', () => {
  const hot = bareMachine(4, 'hot');
  const code = new Uint8Array(0x200);
  // mov ecx, 20000; F: 40 times add rax, 1; dec ecx; jnz F; jmp r10
  code.set([0xb9, 0x20, 0x4e, 0, 0]);
  for (let n = 0; n < 40; n++) code.set([0x48, 0x83, 0xc0, 0x01], 5 + n * 4);
  code.set([0xff, 0xc9, 0x0f, 0x85, 0x58, 0xff, 0xff, 0xff, 0x41, 0xff, 0xe2], 165);
  // B: mov ecx, 1; mov r10, r11; jmp F, which comes back by r10: dec r8d; jnz B; hlt
  code.set([0xb9, 1, 0, 0, 0, 0x4d, 0x89, 0xda, 0xe9, 0xf8, 0xfe, 0xff, 0xff], 0x100);
  code.set([0x41, 0xff, 0xc8, 0x0f, 0x85, 0xb7, 0xff, 0xff, 0xff, 0xf4], 0x140);
  load(hot, code);
  const start = { 0: 0n, 8: 20_000n, 10: BigInt(program.code + 0x100), 11: BigInt(program.code + 0x140) };
  for (const [number, value] of Object.entries(start)) hot.vcpu.state.setGpr(Number(number), value);
  runWhile(hot, () => hot.vcpu.state.gpr(8) === 20_000n);
  const { regions, instructions } = hot.vcpu.translatorStatistics;
  runWhile(hot, () => !hot.vcpu.halted);
  assert.equal(hot.vcpu.state.gpr(0), 40n * 40_000n);
  assert.ok(hot.vcpu.translatorStatistics.regions > regions);
  assert.ok(hot.vcpu.translatorStatistics.instructions < instructions + 20);
});

test('a region that rewrites an instruction ahead of itself runs the new one', () => {
  // mov byte [rip+1], 0x22; mov al, 0x11; dec ecx; hlt — the store hits the immediate of the next instruction
  const code = new Uint8Array([0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x22, 0xb0, 0x11, 0xff, 0xc9, 0xf4]);
  for (const mode of ['never', 'always', 'staying', 'hot', 'verify'] as const) {
    const target = machine(mode);
    load(target, code);
    while (target.vcpu.run(1000) === 'budget');
    assert.equal(target.vcpu.state.gpr(0) & 0xffn, 0x22n, mode);
  }
});

test('a fault in the middle of a region leaves the registers of the instruction before it', () => {
  // mov eax, 1; mov edx, 2; add eax, edx; mov [0x40000000], eax; mov eax, 9; hlt — beyond the mapped 1 GiB: #PF
  const code = new Uint8Array([
    0xb8, 1, 0, 0, 0, 0xba, 2, 0, 0, 0, 0x01, 0xd0, 0x89, 0x04, 0x25, 0, 0, 0, 0x40, 0xb8, 9, 0, 0, 0, 0xf4,
  ]);
  for (const mode of ['never', 'always', 'staying', 'verify'] as const) {
    const target = machine(mode);
    load(target, code);
    target.vcpu.state.setTable('idtr', 0n, 0);
    assert.equal(target.vcpu.run(1000), 'shutdown', mode);
    assert.equal(target.vcpu.state.gpr(0), 3n, mode);
    assert.equal(target.vcpu.state.gpr(2), 2n, mode);
    assert.equal(target.vcpu.state.get64('cr2'), 0x4000_0000n, mode);
    assert.equal(target.vcpu.state.rip, BigInt(program.code + 12), mode);
  }
});

/** Three functions, each in a page of its own; the second calls the third indirectly and is come back to. */
function functionsInPages(): Uint8Array {
  const code = new Uint8Array(0x3000);
  const put = (at: number, ...bytes: number[]): void => code.set(bytes, at);
  const relative = (from: number, to: number): number[] => [...new Uint8Array(new Int32Array([to - from]).buffer)];
  // mov r12d, 20000; L: call f; dec r12; jnz L; hlt
  put(0, 0x41, 0xbc, 0x20, 0x4e, 0, 0, 0xe8, ...relative(11, 0x1010), 0x49, 0xff, 0xcc, 0x75, 0xf6, 0xf4);
  // f: lea rdx, [rip + g]; call rdx; add rax, 5; lea rcx, [rip]; ret
  put(0x1010, 0x48, 0x8d, 0x15, ...relative(0x1017, 0x2020), 0xff, 0xd2, 0x48, 0x83, 0xc0, 5);
  put(0x101d, 0x48, 0x8d, 0x0d, 0, 0, 0, 0, 0xc3);
  // g: inc rax; ret
  put(0x2020, 0x48, 0xff, 0xc0, 0xc3);
  return code;
}

test('a region that is entered in another page than its first finds its way', () => {
  for (const mode of ['never', 'always', 'staying', 'hot', 'verify'] as const) {
    for (const slice of [1000, 7, 1_000_000]) {
      const target = machine(mode);
      load(target, functionsInPages());
      target.vcpu.state.setGpr(0, 0n);
      for (let n = 0; n < 100_000 && target.vcpu.run(slice) === 'budget'; n++);
      assert.ok(target.vcpu.halted, mode);
      assert.equal(target.vcpu.state.gpr(0), 120_000n, `${mode}, ${slice}`);
      assert.equal(target.vcpu.state.gpr(1), BigInt(program.code + 0x1024), `${mode}, ${slice}`);
    }
  }
});
