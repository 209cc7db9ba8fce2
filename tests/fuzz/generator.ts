/** Bytes for a processor to run: noise, or instructions of the table with random prefixes and operands. */
import { instructionTable } from '../../src/cpu/isa/table.ts';
import type { Random } from '../oracle/random.ts';

const legacyPrefixes = [0x66, 0x67, 0x2e, 0x36, 0x64, 0x65, 0xf0, 0xf2, 0xf3] as const;
const mandatory = { NP: 0, '66': 0x66, F2: 0xf2, F3: 0xf3 } as const;
const escapes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;

export const codeKinds = ['noise', 'instructions', 'loops', 'self-modifying'] as const;
export type CodeKind = (typeof codeKinds)[number];

/** One instruction of the table; up to 6 of the bytes behind its opcode mean anything or nothing. */
function instruction(random: Random, out: number[]): void {
  const row = random.pick(instructionTable);
  while (random.chance(15)) out.push(random.pick(legacyPrefixes));
  const prefix = row.prefix === undefined ? 0 : mandatory[row.prefix];
  if (prefix !== 0) out.push(prefix);
  if (row.vex === true) {
    out.push(0xc4, 0xe0 | row.map, random.below(256) & 0xfb);
  } else {
    if (random.chance(25)) out.push(0x40 | random.below(16));
    out.push(...escapes[row.map]);
  }
  out.push(row.opcode);
  if (row.mod === 'reg') out.push(0xc0 | random.below(64));
  else if (random.chance(90)) out.push((random.below(256) & 0xc7) | ((row.ext ?? random.below(8)) << 3));
  for (let count = random.below(6); count > 0; count--) out.push(random.chance(50) ? random.below(256) : 0);
}

/** A short backward or forward jump, conditional or not, or LOOP. */
function jump(random: Random, out: number[]): void {
  const opcode = random.pick([0x70, 0x74, 0x75, 0x7c, 0x7f, 0xeb, 0xe2, 0xe0, 0xe3] as const);
  out.push(opcode, random.chance(60) ? -2 - random.below(60) : random.below(60));
}

/** MOV, STOS or an arithmetic instruction that writes near where the code runs: [rSI], [rDI], [rBX], RIP-relative. */
function store(random: Random, out: number[]): void {
  out.push(
    ...random.pick([[0x88, 0x07], [0x89, 0x06], [0xaa], [0xf3, 0xaa], [0x00, 0x07], [0xa4], [0x89, 0x05]] as const),
  );
  if (random.chance(20)) out.push(random.below(128), 0, 0, 0);
}

/** Fills `bytes` with code of a kind. */
export function fillWithCode(random: Random, kind: CodeKind, bytes: Uint8Array): void {
  const out: number[] = [];
  while (out.length < bytes.length) {
    if (kind === 'noise') out.push(random.below(256));
    else if (kind !== 'instructions' && random.chance(25)) jump(random, out);
    else if (kind === 'self-modifying' && random.chance(30)) store(random, out);
    else instruction(random, out);
  }
  bytes.set(out.slice(0, bytes.length).map((byte) => byte & 0xff));
}
