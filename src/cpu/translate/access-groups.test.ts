import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEflags } from '../state/flags.ts';
import { type BareMachine, bareMachine } from '../testing/bare-machine.ts';
import { runCode } from '../testing/run-code.ts';
import { modrm, type Random, randomStream } from './testing/random-program.ts';

/** Linear pages that lie in RAM in another order; the last two can only be read, and are not there. */
const window = {
  linear: 0x40_0000,
  pages: 6,
  ram: [0x3_3000, 0x3_0000, 0x3_2000, 0x3_4000, 0x3_1000],
  readOnly: 4,
  table: 0x5000,
};
const pageBytes = 4096;

function mapWindow({ memory }: BareMachine): void {
  memory.writeU64(0x3000 + (window.linear >> 21) * 8, BigInt(window.table) | 7n);
  for (let n = 0; n < 512; n++) memory.writeU64(window.table + n * 8, 0n);
  for (const [n, ram] of window.ram.entries()) {
    memory.writeU64(window.table + n * 8, BigInt(ram) | (n === window.readOnly ? 5n : 7n));
    for (let at = 0; at < pageBytes; at += 8) memory.writeU64(ram + at, BigInt(ram + at) * 0x0101_0101n);
  }
}

/** RBX, RBP, RSI and RDI point into the window, RSP too; R9 is an index, RCX counts rounds. */
const bases = [3, 5, 6, 7] as const;
const values = [0, 2, 8, 10, 11] as const;
const disp8 = (random: Random): number => (random(40) * 4 - 80) & 0xff;

function access(random: Random): number[] {
  const base = bases[random(4)] as number;
  const value = values[random(5)] as number;
  const rex = 0x40 | (random(3) === 0 ? 0 : 8) | (value > 7 ? 4 : 0);
  const opcode = [0x8b, 0x8b, 0x89, 0x01, 0x03, 0x88][random(6)] as number;
  switch (random(13)) {
    case 8: // MOV R14, RCX; MOV ECX, 0…3; REP MOVSB; MOV RCX, R14
      return [0x49, 0x89, 0xce, 0xb9, random(4), 0, 0, 0, 0xf3, 0xa4, 0x4c, 0x89, 0xf1];
    case 0:
      return [0x50 | (value & 7)]; // PUSH, of another register if value > 7
    case 1:
      return [0x58 | ([0, 2, 0][random(3)] as number)]; // POP
    case 2: // ADD base, imm8
      return [0x48, 0x83, modrm(3, 0, base), (random(64) * 4 - 128) & 0xff];
    case 3: // LEA base, [other + disp8]
      return [0x48, 0x8d, modrm(1, base, bases[random(4)] as number), disp8(random)];
    case 4: // MOV base, other
      return [0x48, 0x89, modrm(3, bases[random(4)] as number, base)];
    case 5: // op [base + r9 * 4 + disp8]
      return [rex | 2, opcode, modrm(1, value, 4), 0x80 | (1 << 3) | base, disp8(random)];
    case 6: // INC R9; AND R9D, 7
      return [0x49, 0xff, 0xc1, 0x41, 0x83, 0xe1, 7];
    case 7: // MOVDQU XMM0, [base + disp8], or the other way
      return [0xf3, 0x0f, random(2) === 0 ? 0x6f : 0x7f, modrm(1, 0, base), disp8(random)];
    default:
      return [rex, opcode, modrm(1, value, base), disp8(random)];
  }
}

/** One access or two, jumped over, one of them or the other. */
function piece(random: Random): number[] {
  const [first, second] = [access(random), access(random)];
  const jump = 0x70 | random(16);
  switch (random(6)) {
    case 0:
      return [jump, first.length, ...first];
    case 1:
      return [jump, first.length + 2, ...first, 0xeb, second.length, ...second];
    default:
      return first;
  }
}

/** A loop of accesses. */
function randomAccesses(random: Random): number[] {
  const body: number[] = [];
  while (body.length < 80) body.push(...piece(random));
  const back = -(body.length + 4);
  return [0x66, 0x0f, 0xef, 0xc0, ...body, 0xff, 0xc9, 0x75, back & 0xff]; // PXOR XMM0, XMM0; …; DEC ECX; JNZ
}

function run(
  machine: BareMachine,
  code: readonly number[],
  random: Random,
  more: (machine: BareMachine) => void = () => {},
): string {
  const { vcpu, memory } = machine;
  const setUp = (): void => {
    mapWindow(machine);
    for (let n = 0; n < 16; n++) vcpu.state.setGpr(n, BigInt(n) * 0x1_0203_0405_0607n);
    // Most begin beside the end of a page.
    for (const base of bases) {
      const page = 1 + random(window.pages - 1);
      vcpu.state.setGpr(base, BigInt(window.linear + page * pageBytes + random(60) * 4 - 200));
    }
    vcpu.state.setGpr(4, BigInt(window.linear + pageBytes + random(40) * 8 - 160));
    vcpu.state.setGpr(1, 3n);
    vcpu.state.setGpr(9, 0n);
    vcpu.state.eflags = 2;
    more(machine);
  };
  const ran = runCode(machine, code, setUp, 10_000);
  const general = Array.from({ length: 16 }, (_, n) => (n === 4 ? '' : vcpu.state.gpr(n).toString(16)));
  let sum = 0n;
  for (const ram of window.ram)
    for (let at = 0; at < pageBytes; at += 8) sum = (sum * 31n + memory.readU64(ram + at)) & ((1n << 64n) - 1n);
  return [
    ran.vector,
    ran.vector === undefined ? '' : ran.faultAddress,
    readEflags(vcpu.state.view) & 0xff,
    general,
    sum,
  ].join(' ');
}

test('accesses that share a look into the TLB find what they would alone, and fault where they would', () => {
  const interpreted = bareMachine(4, 'never');
  const translated = bareMachine(4, 'always');
  const inLockstep = bareMachine(4, 'verify');
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= 400; seed++) {
    const code = randomAccesses(randomStream(seed));
    const expected = run(interpreted, code, randomStream(seed + 1000));
    assert.equal(run(translated, code, randomStream(seed + 1000)), expected, `seed ${seed}`);
    if (seed % 8 === 0) assert.equal(run(inLockstep, code, randomStream(seed + 1000)), expected, `seed ${seed}`);
    const end = expected.split(' ')[0] as string;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  assert.ok(translated.vcpu.translatorStatistics.regions > 100);
  // Neither all to the end nor all into page faults.
  assert.ok((ends.get('') ?? 0) > 20 && (ends.get('14') ?? 0) > 20, JSON.stringify([...ends]));
});

/** LEA base, [r12 + distance], in half of the cases by a detour that hides what the base has to do with R12. */
function baseFromDrift(random: Random, base: number): number[] {
  const distance = random(100) * 4;
  const lea = [0x49, 0x8d, modrm(2, base, 4), 0x24, distance & 0xff, distance >> 8, 0, 0];
  const swap = [0x48, 0x0f, 0xc8 | base];
  return random(2) === 0 ? lea : [...lea, ...swap, ...swap];
}

/** The loop of `randomAccesses` in one that moves all its bases on by a byte, into the pages that cannot be accessed in the end. */
function drifting(random: Random): number[] {
  const stack = window.linear + pageBytes + random(40) * 8 - 160;
  const body = [
    ...bases.flatMap((base) => baseFromDrift(random, base)),
    ...[0xbc, stack & 0xff, (stack >> 8) & 0xff, (stack >> 16) & 0xff, stack >>> 24], // MOV ESP, imm32
    ...access(random),
    // One round or two, so that the outer loop gets hot first: MOV ECX, R13D; AND ECX, 1; INC ECX; XOR R9D, R9D.
    ...[0x44, 0x89, 0xe9, 0x83, 0xe1, 1, 0xff, 0xc1, 0x45, 0x31, 0xc9],
    ...randomAccesses(random),
    ...[0x49, 0x83, 0xc4, 1], // ADD R12, 1
    ...[0x41, 0xff, 0xcd], // DEC R13D
  ];
  const back = -(body.length + 6);
  return [...body, 0x0f, 0x85, back & 0xff, (back >> 8) & 0xff, 0xff, 0xff];
}

test('they do so in loops, where ways meet, and where a page ends within a stretch', () => {
  const interpreted = bareMachine(4, 'never');
  const translated = bareMachine(4, 'hot');
  let faults = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const code = drifting(randomStream(seed));
    const setUp = ({ vcpu }: BareMachine): void => {
      vcpu.state.setGpr(12, BigInt(window.linear + 600));
      vcpu.state.setGpr(13, BigInt(12_500 + seed * 24));
    };
    const expected = run(interpreted, code, randomStream(seed + 1000), setUp);
    assert.equal(run(translated, code, randomStream(seed + 1000), setUp), expected, `seed ${seed}`);
    if (expected.startsWith('14')) faults++;
  }
  assert.ok(translated.vcpu.translatorStatistics.regions >= 30);
  assert.ok(faults > 10 && faults < 140, `${faults} faults`);
});
