import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWithProcessor, probeableCases } from './testing/compare-processor.ts';
import { encodings } from './testing/encodings.ts';
import { readProcessorVectors } from './testing/processor.ts';
import { readVectors, recordedSeed } from './testing/vectors.ts';

test('lengths and #UD agree with an Intel processor in 64-bit mode', () => {
  const cases = probeableCases(encodings(64, recordedSeed), readVectors(64));
  const answers = readProcessorVectors();
  assert.equal(answers.length, cases.length);
  assert.ok(answers.filter(({ outcome }) => outcome !== 'ud').length > 5000);
  assert.deepEqual(compareWithProcessor(cases, answers), []);
});
