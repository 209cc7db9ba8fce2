import assert from 'node:assert/strict';
import { test } from 'node:test';
import { semantics } from '../semantics/index.ts';
import { findCpuModel } from '../system/cpu-model.ts';
import { FormFactsTable } from './form-facts.ts';
import { Practice, practised } from './practice.ts';

test('all of the sample is translated, as what a guest runs is', () => {
  const features = findCpuModel('max')?.features ?? new Set<string>();
  const facts = new FormFactsTable(semantics, features, false);
  const options = { semantics, features, facts, ram: new Uint8Array(0), atomic: false, countsLookups: false };
  assert.ok(practised.length > 70);
  const practice = new Practice({ ...options, nowMs: () => 0 });
  for (let round = 0; round < 2; round++) assert.equal(practice.run(), practised.length);
});
