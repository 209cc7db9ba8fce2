/**
 * Compares decoder and disassembler with this host's objdump: `node record-objdump.ts [seed]`.
 * Without a seed it also records the vectors that `objdump.test.ts` replays.
 */
import { compareWithObjdump } from './compare.ts';
import { encodings } from './encodings.ts';
import { objdump } from './objdump.ts';
import { recordedSeed, writeVectors } from './vectors.ts';

const argument = process.argv[2];
const seed = argument === undefined ? recordedSeed : Number(argument);

for (const codeSize of [16, 32, 64] as const) {
  const cases = encodings(codeSize, seed);
  const lines = objdump(cases, codeSize);
  if (argument === undefined) writeVectors(codeSize, lines);
  const { agreed, explained, unexplained } = compareWithObjdump(cases, lines, codeSize);
  console.log(`${codeSize}-bit, seed ${seed}: ${cases.length} cases, ${agreed} agree`);
  for (const [reason, count] of explained) console.log(`  ${count} × ${reason}`);
  for (const line of unexplained) console.log(`  UNEXPLAINED ${line}`);
  if (unexplained.length > 0) process.exitCode = 1;
}
