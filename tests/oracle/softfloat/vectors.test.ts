/** The library against the recorded answers of an Intel CPU; runs on every host. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertNoDifferences } from './comparison.ts';
import { suites } from './suites.ts';
import { readVectors } from './vectors.ts';

describe('software floating point against recorded answers', () => {
  const vectors = readVectors();

  test('every operation is recorded', () => {
    assert.deepEqual(vectors.map(({ operation }) => operation).sort(), suites.map(({ name }) => name).sort());
  });

  for (const { operation, requests, replies } of vectors) {
    test(operation, () => {
      const suite = suites.find(({ name }) => name === operation);
      assert.ok(suite, `nothing tests ${operation}; record the vectors again`);
      assertNoDifferences(requests.map((request, i) => suite.compare(request, replies[i] as (typeof replies)[0])));
    });
  }
});
