import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEflags } from '../state/flags.ts';
import { segmentIndex } from '../state/layout.ts';
import { type BareMachine, bareMachine } from '../testing/bare-machine.ts';
import { type Ran, runCode } from '../testing/run-code.ts';
import { modrm, type Random, randomStream } from './testing/random-program.ts';

const pageBytes = 4096;
/** Linear pages that lie in RAM in another order: five, one that is absent, and the last of the 4 GiB. The first lies where it is. */
const window = { linear: 0x40_0000, ram: [0x3_3000, 0x3_0000, 0x3_2000, 0x3_4000, 0x3_1000], last: 0x3_5000 } as const;
const tables = { window: 0x5000, level2: 0xa000, level1: 0xb000 } as const;
const present = 7n;
const fsBase = 0x100n;

function mapPages({ memory }: BareMachine): void {
  memory.writeU64(0x3000 + (window.linear >> 21) * 8, BigInt(tables.window) | present);
  memory.writeU64(0x2000 + 3 * 8, BigInt(tables.level2) | present);
  memory.writeU64(tables.level2 + 511 * 8, BigInt(tables.level1) | present);
  memory.writeU64(tables.level1 + 511 * 8, BigInt(window.last) | present);
  for (let n = 0; n < 512; n++) memory.writeU64(tables.window + n * 8, 0n);
  for (const [n, ram] of window.ram.entries()) memory.writeU64(tables.window + n * 8, BigInt(ram) | present);
  for (const ram of [...window.ram, window.last, 0])
    for (let at = 0; at < pageBytes; at += 8) memory.writeU64(ram + at, BigInt(ram + at) * 0x0101_0101n);
}

/** EBX, EBP, ESI and EDI point somewhere, ESP too; EAX and EDX are values, EDX also an index, ECX counts rounds. */
const bases = [3, 5, 6, 7] as const;
const disp8 = (random: Random): number => (random(40) * 4 - 80) & 0xff;

function access(random: Random): number[] {
  const base = bases[random(4)] as number;
  const other = bases[random(4)] as number;
  const value = random(2) * 2;
  const opcode = [0x8b, 0x8b, 0x89, 0x01, 0x03, 0x88][random(6)] as number;
  switch (random(14)) {
    case 0:
      return [0x50 | value]; // PUSH
    case 1:
      return [0x58 | value]; // POP
    case 2: // ADD base, imm8
      return [0x83, modrm(3, 0, base), (random(64) * 4 - 128) & 0xff];
    case 3: // LEA base, [other + disp8]
      return [0x8d, modrm(1, base, other), disp8(random)];
    case 4: // MOV base, other
      return [0x89, modrm(3, other, base)];
    case 5: // AND EDX, 7; op [base + edx * 4 + disp8]
      return [0x83, 0xe2, 7, opcode, modrm(1, value, 4), 0x80 | (2 << 3) | base, disp8(random)];
    case 6: // INC EDX
      return [0x42];
    case 7: // MOVDQU XMM0, [base + disp8], or the other way
      return [0xf3, 0x0f, random(2) === 0 ? 0x6f : 0x7f, modrm(1, 0, base), disp8(random)];
    case 8: // PUSH ECX; MOV ECX, 0…3; REP MOVSB, STOSD or LODSB; POP ECX
      return [0x51, 0xb9, random(4), 0, 0, 0, 0xf3, [0xa4, 0xab, 0xac][random(3)] as number, 0x59];
    case 9: // op FS:[base + disp8]
      return [0x64, opcode, modrm(1, value, base), disp8(random)];
    case 10: // op [window + …]
      return [opcode, modrm(0, value, 5), random(64) * 4, 0, 0x40, 0];
    case 11: // SUB base, 4; SHL EDX, 1
      return [0x83, modrm(3, 5, base), 4, 0xd1, 0xe2];
    default:
      return [opcode, modrm(1, value, base), disp8(random)];
  }
}

/** A loop of accesses, some of them jumped over. */
function program(random: Random): number[] {
  const body: number[] = [];
  while (body.length < 80) {
    const next = access(random);
    body.push(...(random(4) === 0 ? [0x70 | random(16), next.length, ...next] : next));
  }
  const back = -(body.length + 3);
  return [0x66, 0x0f, 0xef, 0xc0, ...body, 0x49, 0x75, back & 0xff]; // PXOR XMM0, XMM0; …; DEC ECX; JNZ
}

const endless = 'endless';

/** Runs `code` in compatibility mode. @returns a picture of how it ended */
function run(machine: BareMachine, code: readonly number[], random: Random): string {
  const { vcpu, memory } = machine;
  const { state } = vcpu;
  const setUp = (): void => {
    mapPages(machine);
    const flat = { base: 0n, limit: 0xffff_ffff };
    state.setSegment(segmentIndex.cs, { selector: 8, ...flat, attributes: 0xc09b });
    state.setSegment(segmentIndex.fs, { selector: 16, ...flat, base: fsBase, attributes: 0xc093 });
    for (let n = 0; n < 8; n++) state.setGpr(n, BigInt(n * 0x0102_0304));
    for (const base of bases) {
      // Beside the end of a page, or of all pages.
      const end = random(4) === 0 ? 0 : window.linear + (1 + random(5)) * pageBytes;
      state.setGpr(base, BigInt.asUintN(32, BigInt(end + random(240) - 200)));
    }
    state.setGpr(4, BigInt(window.linear + pageBytes + random(40) * 4 - 80));
    state.setGpr(1, 3n);
    state.eflags = 2;
  };
  let ran: Ran;
  try {
    ran = runCode(machine, code, setUp, 200);
  } catch {
    // It has overwritten its counter of rounds.
    return endless;
  }
  const general = Array.from({ length: 8 }, (_, n) => (n === 4 ? '' : state.gpr(n).toString(16)));
  let sum = 0n;
  for (const ram of [...window.ram, window.last, 0])
    for (let at = 0; at < pageBytes; at += 8) sum = (sum * 31n + memory.readU64(ram + at)) & ((1n << 64n) - 1n);
  const fault = ran.vector === 14 ? ran.faultAddress : '';
  return [ran.vector, ran.faultOffset, fault, readEflags(state.view) & 0xff, general, sum].join(' ');
}

test('random programs of 32-bit code end as they do in the interpreter, at the ends of pages and of 4 GiB, too', () => {
  const interpreted = bareMachine(4, 'never');
  const translated = bareMachine(4, 'always');
  const inLockstep = bareMachine(4, 'verify');
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= 500; seed++) {
    const code = program(randomStream(seed));
    const expected = run(interpreted, code, randomStream(seed + 1000));
    assert.equal(run(translated, code, randomStream(seed + 1000)), expected, `seed ${seed}`);
    if (seed % 8 === 0 && expected !== endless)
      assert.equal(run(inLockstep, code, randomStream(seed + 1000)), expected, `seed ${seed}`);
    const end = expected.split(' ')[0] as string;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  assert.ok(translated.vcpu.translatorStatistics.regions > 100);
  // To the end, into page faults, and over the limits of segments.
  for (const vector of ['', '14', '13', '12']) assert.ok((ends.get(vector) ?? 0) > 3, JSON.stringify([...ends]));
});
