import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingEngineOptions, withFewArenas } from './engine-options.ts';

test('a host with few cores keeps one for the guest', () => {
  assert.deepEqual(missingEngineOptions(1, [], undefined), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(2, [], undefined), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(4, ['--disable-warning=ExperimentalWarning'], ''), ['--v8-pool-size=3']);
});

test('a host with many cores is left alone', () => {
  assert.deepEqual(missingEngineOptions(5, [], undefined), []);
  assert.deepEqual(missingEngineOptions(64, [], undefined), []);
});

test('what the user or a restart has chosen stays', () => {
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size=1'], undefined), []);
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size', '2'], undefined), []);
  assert.deepEqual(missingEngineOptions(2, [], '--no-warnings --v8-pool-size=4'), []);
});

test('the allocator keeps to few arenas, unless the user has chosen', () => {
  assert.deepEqual(withFewArenas({ A: 'b' }), { A: 'b', MALLOC_ARENA_MAX: '2' });
  assert.deepEqual(withFewArenas({ MALLOC_ARENA_MAX: '8' }), { MALLOC_ARENA_MAX: '8' });
});
