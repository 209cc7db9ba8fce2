/** Two instructions that one case of the dispatch loop runs do what they do one after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { semantics } from '../semantics/index.ts';
import { readEflags } from '../state/flags.ts';
import { records } from '../state/layout.ts';
import { type BareMachine, bareMachine } from '../testing/bare-machine.ts';
import { place, type Ran, runCode } from '../testing/run-code.ts';
import { randomStream } from '../translate/testing/random-program.ts';
import { dispatchCases } from './dispatch-cases.ts';
import { pseudoHandlers } from './handler-keys.ts';
import type { HotForm } from './hot.ts';
import { record } from './record.ts';

type Random = ReturnType<typeof randomStream>;

const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const free = [rax, rcx, rdx, rsi, rdi];
const afterSecond = 0x40;
const jumpToNext = [0xeb, 0x00];
const cases = dispatchCases(semantics);
const formOf = (number: number): HotForm => cases.long[number - pseudoHandlers] as HotForm;
const nameOf = ({ row, key }: HotForm): string => `${row.mnemonic} ${row.operands} ${key.operandSize}`;

const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, n) => Math.floor(value / 2 ** (8 * n)) & 0xff);

/** An instruction of a form, with registers of `free`, memory at RBX, and jumps to `distance` behind it. */
function encode({ row, key }: HotForm, random: Random, distance: number): number[] {
  const any = (): number => free[random(free.length)] as number;
  const wide = key.operandSize === 64 && row.size64 === undefined ? [0x48] : [];
  const names = row.operands.split(',');
  const map = row.map === 0 ? [] : [0x0f];
  const opcode = names.some((name) => name.startsWith('Z')) ? row.opcode + any() : row.opcode;
  const bytes = [...wide, ...map, opcode];
  if (row.ext !== undefined || names.some((name) => /^[EGM]/.test(name))) {
    const reg = (row.ext ?? any()) << 3;
    if (key.registerForm && row.mod !== 'mem') bytes.push(0xc0 | reg | any());
    else bytes.push(0x40 | reg | rbx, random(16) * 8);
  }
  for (const name of names) {
    if (name === 'Ib' || name === 'Ibs') bytes.push(random(256));
    else if (name === 'Iz') bytes.push(...little(random(2 ** 31), 4));
    else if (name === 'Iv') bytes.push(...little(random(2 ** 31), key.operandSize / 8));
    else if (name === 'Jb') bytes.push(distance);
    else if (name === 'Jz') bytes.push(...little(distance, 4));
  }
  return bytes;
}

/** What the guest can see in the end. */
function outcome(machine: BareMachine, code: readonly number[], seed: number): string {
  const { vcpu, memory } = machine;
  const random = randomStream(seed);
  const ran = runCode(machine, code, () => {
    // Some operands are equal, so that conditions hold.
    for (const n of [...free, rbp]) vcpu.state.setGpr(n, BigInt(random(3) * 0x8000_0001) << BigInt(random(2) * 32));
    vcpu.state.setGpr(rbx, BigInt(place.data));
    vcpu.state.eflags = 2 | ([0, 0x8d5, 0x41, 0x880][random(4)] as number);
    for (let n = 0; n < 32; n++) memory.writeU64(place.data + n * 8, BigInt(random(3) * 0x80));
    for (let n = -4; n < 4; n++) memory.writeU64(place.stack + n * 8, BigInt(place.code + afterSecond));
  });
  const registers = Array.from({ length: 8 }, (_, n) => vcpu.state.gpr(n).toString(16));
  const cells = Array.from({ length: 32 }, (_, n) => memory.readU64(place.data + n * 8).toString(16));
  const stack = Array.from({ length: 8 }, (_, n) => memory.readU64(place.stack + (n - 4) * 8).toString(16));
  return [ran.vector, readEflags(vcpu.state.view), ...registers, ...cells, ...stack].join(' ');
}

/** RBP tells which way the code went: on behind the second instruction, or to the end. */
function programOf(between: readonly number[], pair: readonly [HotForm, HotForm], seed: number): number[] {
  const random = randomStream(seed);
  const first = encode(pair[0], random, 0);
  const lead = between.length === 0 ? jumpToNext : [];
  const second = encode(pair[1], random, 3);
  const start = [...lead, ...first, ...between, ...second, 0x48, 0xff, 0xc5];
  return [...start, ...new Array<number>(afterSecond - start.length).fill(0x90)];
}

test('pairs of all kinds', () => {
  const machine = bareMachine(4, 'never');
  for (const [one, other] of cases.pairs) {
    const pair = [formOf(one), formOf(other)] as const;
    for (let seed = 1; seed <= 24; seed++) {
      const paired = outcome(machine, programOf([], pair, seed), seed);
      const apart = outcome(machine, programOf(jumpToNext, pair, seed), seed);
      assert.equal(paired, apart, `${nameOf(pair[0])}; ${nameOf(pair[1])}: seed ${seed}`);
    }
  }
});

/** Of the first record that a machine has decoded. */
const firstHandler = ({ vcpu }: BareMachine): number =>
  vcpu.state.view.getUint16(records.base + 2 * record.size + record.handler, true);
const { pairs } = cases.numbers;
const pairNumbers = new Set(Array.from(pairs).filter((_number, position) => position % 3 === 2));
const isPair = (handler: number): boolean => pairNumbers.has(handler);

function runNew(code: readonly number[], setUp: (machine: BareMachine) => void): { ran: Ran; machine: BareMachine } {
  const machine = bareMachine(4, 'never');
  return { ran: runCode(machine, code, () => setUp(machine)), machine };
}

test('a store that overwrites the instruction behind it, which belongs to the same pair', () => {
  // mov [rbx], rax; mov [rcx], rdx (becomes mov rcx, rdx and nops); hlt
  const { machine } = runNew([0x48, 0x89, 0x03, 0x48, 0x89, 0x11, 0x90, 0x90, 0x90, 0x90, 0x90], ({ vcpu }) => {
    vcpu.state.setGpr(rbx, BigInt(place.code + 3));
    vcpu.state.setGpr(rax, 0x9090_9090_90d1_8948n);
    vcpu.state.setGpr(rcx, BigInt(place.data));
    vcpu.state.setGpr(rdx, 0x1234n);
  });
  assert.equal(machine.vcpu.state.gpr(rcx), 0x1234n);
  assert.equal(machine.memory.readU64(place.data), 0n);
});

test('a fault of the second instruction is its own, and the first one has happened', () => {
  // mov rax, [rbx]; mov rcx, [rdx]
  const { ran, machine } = runNew([0x48, 0x8b, 0x03, 0x48, 0x8b, 0x0a], ({ vcpu, memory }) => {
    memory.writeU64(place.data, 77n);
    vcpu.state.setGpr(rbx, BigInt(place.data));
    vcpu.state.setGpr(rcx, 5n);
    vcpu.state.setGpr(rdx, BigInt(place.unmapped));
  });
  assert.ok(isPair(firstHandler(machine)));
  assert.deepEqual(ran, { vector: 14, faultOffset: 3, faultAddress: BigInt(place.unmapped) });
  assert.equal(machine.vcpu.state.gpr(rax), 77n);
  assert.equal(machine.vcpu.state.gpr(rcx), 5n);
});

test('a fault of the first instruction leaves the second undone', () => {
  const { ran, machine } = runNew([0x48, 0x8b, 0x0a, 0x48, 0x8b, 0x03], ({ vcpu }) => {
    vcpu.state.setGpr(rax, 5n);
    vcpu.state.setGpr(rbx, BigInt(place.data));
    vcpu.state.setGpr(rdx, BigInt(place.unmapped));
  });
  assert.ok(isPair(firstHandler(machine)));
  assert.deepEqual(ran, { vector: 14, faultOffset: 0, faultAddress: BigInt(place.unmapped) });
  assert.equal(machine.vcpu.state.gpr(rax), 5n);
});

test('both instructions count', () => {
  // L: test rax, rax; je L
  const machine = bareMachine(4, 'never');
  const code = [0x48, 0x85, 0xc0, 0x74, 0xfb];
  assert.throws(() => runCode(machine, code, () => machine.vcpu.state.setGpr(rax, 0n)), /did not halt/);
  assert.ok(isPair(firstHandler(machine)));
  assert.ok(machine.vcpu.instructions >= 1000 && machine.vcpu.instructions < 1010, `${machine.vcpu.instructions}`);
  assert.equal(machine.vcpu.state.gpr(rsp), BigInt(place.stack));
});
