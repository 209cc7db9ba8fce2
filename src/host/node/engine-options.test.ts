import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { missingEngineOptions, withFewArenas } from './engine-options.ts';

const otherV8 = '15.0.1-node.1';
const thisV8 = '14.6.202.33-node.21';

test('a host with few cores keeps one for the guest', () => {
  assert.deepEqual(missingEngineOptions(1, [], undefined, otherV8), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(2, [], undefined, otherV8), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(4, ['--disable-warning=ExperimentalWarning'], '', otherV8), [
    '--v8-pool-size=3',
  ]);
});

test('a host with many cores has its threads', () => {
  assert.deepEqual(missingEngineOptions(5, [], undefined, otherV8), []);
  assert.deepEqual(missingEngineOptions(64, [], undefined, otherV8), []);
});

test('calls are not counted for inlining, where V8 is known to have the option', () => {
  assert.deepEqual(missingEngineOptions(8, [], undefined, thisV8), ['--no-wasm-inlining']);
  assert.deepEqual(missingEngineOptions(2, [], undefined, thisV8), ['--v8-pool-size=1', '--no-wasm-inlining']);
  // The engine that runs this starts with it.
  const options = missingEngineOptions(8, [], undefined, process.versions.v8);
  assert.equal(spawnSync(process.execPath, [...options, '-e', '']).status, 0);
});

test('what the user or a restart has chosen stays', () => {
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size=1'], undefined, otherV8), []);
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size', '2'], undefined, otherV8), []);
  assert.deepEqual(missingEngineOptions(2, [], '--no-warnings --v8-pool-size=4', otherV8), []);
  assert.deepEqual(missingEngineOptions(8, ['--wasm-inlining'], undefined, thisV8), []);
  assert.deepEqual(missingEngineOptions(8, ['--no-wasm-inlining'], undefined, thisV8), []);
});

test('the allocator keeps to few arenas, unless the user has chosen', () => {
  assert.deepEqual(withFewArenas({ A: 'b' }), { A: 'b', MALLOC_ARENA_MAX: '2' });
  assert.deepEqual(withFewArenas({ MALLOC_ARENA_MAX: '8' }), { MALLOC_ARENA_MAX: '8' });
});
