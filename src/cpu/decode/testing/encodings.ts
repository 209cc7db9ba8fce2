/** Seeded encodings: every opcode under every prefix with each ModRM.reg, then random prefix stacks. */
import type { CodeSize } from '../instruction.ts';

/** Bytes given for one case: more than the longest instruction. */
export const caseBytes = 16;

/** xorshift32, so that a seed names the same cases everywhere. */
function randomSource(seed: number): (below: number) => number {
  let state = seed * 2 + 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Displacements and immediates come from few values: they repeat, and they have signs. */
const tailBytes = [0x00, 0x01, 0x10, 0x7f, 0x80, 0xff];
const legacyPrefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3];
const mandatory = [[], [0x66], [0xf3], [0xf2]];
const escapes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

function padded(bytes: readonly number[], random: (below: number) => number): Uint8Array {
  const tail = Array.from({ length: caseBytes - bytes.length }, () => tailBytes[random(tailBytes.length)] as number);
  return Uint8Array.from([...bytes, ...tail]);
}

function rexFor(codeSize: CodeSize, random: (below: number) => number): number[] {
  return codeSize === 64 && random(2) === 0 ? [0x40 + random(16)] : [];
}

/** Opcodes whose ModRM.reg is part of the opcode, by map. */
const groups: readonly (readonly number[])[] = [
  [
    0x80, 0x81, 0x82, 0x83, 0x8c, 0x8e, 0x8f, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xd8, 0xd9, 0xda, 0xdb,
    0xdc, 0xdd, 0xde, 0xdf, 0xf6, 0xf7, 0xfe, 0xff,
  ],
  [0x00, 0x01, 0x0d, 0x18, 0x71, 0x72, 0x73, 0xae, 0xba, 0xc7],
  [],
  [],
];

/** Every opcode of maps 0-3 × mandatory prefix × (memory, register), with one reg, or all eight for groups. */
function enumerated(codeSize: CodeSize, random: (below: number) => number): Uint8Array[] {
  const cases: Uint8Array[] = [];
  for (const [map, escapeBytes] of escapes.entries()) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (const prefix of mandatory) {
        const regs = groups[map]?.includes(opcode) === true ? [0, 1, 2, 3, 4, 5, 6, 7] : [random(8)];
        for (const reg of regs) {
          for (const mod of [random(3), 3]) {
            const modrm = (mod << 6) | (reg << 3) | random(8);
            cases.push(
              padded([...prefix, ...rexFor(codeSize, random), ...escapeBytes, opcode, modrm, random(256)], random),
            );
          }
        }
      }
    }
  }
  return cases;
}

/** VEX with every opcode from F0 of each map, which is where the general-register instructions are. */
function vexEncoded(random: (below: number) => number): Uint8Array[] {
  const cases: Uint8Array[] = [];
  for (let map = 1; map <= 3; map++) {
    for (let opcode = 0xf0; opcode < 0x100; opcode++) {
      for (let i = 0; i < 32; i++) {
        const second = 0xe0 ^ (random(8) << 5) ^ map;
        const third = random(256) & (i % 4 === 0 ? 0xff : 0xfb);
        cases.push(padded([0xc4, second, third, opcode, random(256), random(256)], random));
      }
    }
  }
  return cases;
}

/** An opcode of map 0 that is no prefix (REX before another prefix is for the unit tests: objdump loses track there). */
function plainOpcode(codeSize: CodeSize, random: (below: number) => number): number {
  for (;;) {
    const opcode = random(256);
    const isRex = codeSize === 64 && (opcode & 0xf0) === 0x40;
    if (!isRex && !legacyPrefixes.includes(opcode) && opcode !== 0xf0) return opcode;
  }
}

/** Up to four prefixes in any order, LOCK at times, REX last, before any opcode of the first two maps. */
function prefixStacks(codeSize: CodeSize, count: number, random: (below: number) => number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const prefixes = Array.from({ length: random(5) }, () => legacyPrefixes[random(legacyPrefixes.length)] as number);
    const escapeBytes = escapes[random(2)] ?? [];
    const opcode = escapeBytes.length === 0 ? plainOpcode(codeSize, random) : random(256);
    if (random(8) === 0) prefixes.push(0xf0);
    return padded([...prefixes, ...rexFor(codeSize, random), ...escapeBytes, opcode, random(256), random(256)], random);
  });
}

/** All cases of one code size, each `caseBytes` long. */
export function encodings(codeSize: CodeSize, seed: number): Uint8Array[] {
  const random = randomSource(seed);
  return [...enumerated(codeSize, random), ...vexEncoded(random), ...prefixStacks(codeSize, 8000, random)];
}
