import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWithObjdump } from './testing/compare.ts';
import { encodings } from './testing/encodings.ts';
import { readVectors, recordedSeed } from './testing/vectors.ts';

for (const codeSize of [16, 32, 64] as const) {
  test(`${codeSize}-bit code: lengths and text agree with objdump, but for listed differences`, () => {
    const cases = encodings(codeSize, recordedSeed);
    const lines = readVectors(codeSize);
    assert.equal(lines.length, cases.length);
    const { agreed, unexplained } = compareWithObjdump(cases, lines, codeSize);
    assert.deepEqual(unexplained, []);
    assert.ok(agreed > cases.length * 0.88, `only ${agreed} of ${cases.length} agree`);
  });
}
