import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { program } from './testing/random-program.ts';

const modes = ['never', 'hot', 'always', 'staying', 'verify'] as const;
const calls = 60_000;
/** Within a page of 2 MiB that the machine's RAM does not reach as mapped at first. */
const elsewhere = 0x80_0000;
const [place, otherPlace] = [0x40_0000, 0x60_0000];

/** Runs `code` with two functions: f adds 1 to RAX, g adds 2. @returns RAX at HLT. */
function run(machine: BareMachine, code: readonly number[], registers: Readonly<Record<number, number>>): bigint {
  const { vcpu, memory } = machine;
  enterLongMode(machine, program.code);
  memory.write(program.code, new Uint8Array(code));
  for (const at of [program.code + 0x1000, place]) memory.write(at, new Uint8Array([0x48, 0x83, 0xc0, 1, 0xc3]));
  for (const at of [program.code + 0x2000, otherPlace]) memory.write(at, new Uint8Array([0x48, 0x83, 0xc0, 2, 0xc3]));
  for (const [number, value] of Object.entries({ 0: 0, 4: program.stack, ...registers })) {
    vcpu.state.setGpr(Number(number), BigInt(value));
  }
  vcpu.state.eflags = 2;
  vcpu.halted = false;
  for (let n = 0; n < 1000 && vcpu.run(10_000) === 'budget'; n++);
  assert.ok(vcpu.halted);
  return vcpu.state.gpr(0);
}

const [f, g] = [program.code + 0x1000, program.code + 0x2000];
const half = BigInt(calls / 2);
/** mov ecx, calls */
const start = [0xb9, 0x60, 0xea, 0, 0];

test('a jump out of a region that leads to and fro arrives where it leads', () => {
  // L: mov rdx, r8; test cl, 1; cmovz rdx, r9; call rdx; dec ecx; jnz L; hlt
  const loop = [0x4c, 0x89, 0xc2, 0xf6, 0xc1, 1, 0x49, 0x0f, 0x44, 0xd1, 0xff, 0xd2, 0xff, 0xc9, 0x75, 0xf0, 0xf4];
  for (const mode of modes) {
    assert.equal(run(bareMachine(8, mode), [...start, ...loop], { 8: f, 9: g }), half + 2n * half, mode);
  }
});

test('what a jump out of a region leads to is rewritten: the new code runs', () => {
  // L: call r9; cmp ecx, calls / 2; jne S; mov byte [r10], 2; S: dec ecx; jnz L; hlt
  const first = [0x41, 0xff, 0xd1, 0x81, 0xf9, 0x30, 0x75, 0, 0, 0x75, 4, 0x41, 0xc6, 0x02, 2];
  const code = [...start, ...first, 0xff, 0xc9, 0x75, 0xed, 0xf4];
  for (const mode of modes) {
    assert.equal(run(bareMachine(8, mode), code, { 9: f, 10: f + 3 }), half + 1n + 2n * (half - 1n), mode);
  }
});

test('where a jump out of a region leads is mapped to another page: the code there runs', () => {
  // L: mov rdx, r9; call rdx; cmp ecx, calls / 2; jne S; mov [r10], r8; invlpg [rdx]; S: dec ecx; jnz L; hlt
  const first = [
    0x4c, 0x89, 0xca, 0xff, 0xd2, 0x81, 0xf9, 0x30, 0x75, 0, 0, 0x75, 6, 0x4d, 0x89, 0x02, 0x0f, 0x01, 0x3a,
  ];
  const code = [...start, ...first, 0xff, 0xc9, 0x75, 0xe9, 0xf4];
  for (const mode of modes) {
    const machine = bareMachine(8, mode);
    enterLongMode(machine, program.code);
    const level2 = Number(
      machine.memory.readU64(Number(machine.memory.readU64(Number(machine.vcpu.state.get64('cr3'))) & ~0xfffn)) &
        ~0xfffn,
    );
    const entry = level2 + (elsewhere / 0x20_0000) * 8;
    // The program maps its first place itself:
    // mov rax, r11; mov [r10], rax; invlpg [r9]; xor eax, eax
    const map = [0x4c, 0x89, 0xd8, 0x49, 0x89, 0x02, 0x41, 0x0f, 0x01, 0x39, 0x31, 0xc0];
    const registers = { 8: otherPlace | 0x87, 9: elsewhere, 10: entry, 11: place | 0x87 };
    assert.equal(run(machine, [...map, ...code], registers), half + 1n + 2n * (half - 1n), mode);
  }
});
