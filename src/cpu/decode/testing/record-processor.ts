/**
 * Compares the decoder with this host's processor: `node record-processor.ts [seed]`.
 * Without a seed it also records the vectors that `processor.test.ts` replays.
 */
import { compareWithProcessor, probeableCases } from './compare-processor.ts';
import { encodings } from './encodings.ts';
import { objdump } from './objdump.ts';
import { askProcessor, writeProcessorVectors } from './processor.ts';
import { recordedSeed } from './vectors.ts';

const argument = process.argv[2];
const seed = argument === undefined ? recordedSeed : Number(argument);
const all = encodings(64, seed);
const cases = probeableCases(all, objdump(all, 64));
const answers = askProcessor(cases.map(({ bytes }) => bytes));
if (argument === undefined) writeProcessorVectors(answers);
const disagreements = compareWithProcessor(cases, answers);
console.log(`seed ${seed}: ${cases.length} cases, ${disagreements.length} disagreements`);
for (const line of disagreements) console.log(`  ${line}`);
if (disagreements.length > 0) process.exitCode = 1;
