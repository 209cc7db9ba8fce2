import assert from 'node:assert/strict';
import { test } from 'node:test';
import { families, semantics } from './index.ts';

test('no two families claim the same name', () => {
  const names = families.flatMap((family) => Object.keys(family));
  assert.equal(new Set(names).size, names.length);
  assert.equal(Object.keys(semantics).length, names.length);
});
