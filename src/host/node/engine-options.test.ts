import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { missingEngineOptions, withFewArenas } from './engine-options.ts';

const collection = '--expose-gc';
const otherV8 = '15.0.1-node.1';
const thisV8 = '14.6.202.33-node.21';

test('a host with few cores keeps one for the guest', () => {
  assert.deepEqual(missingEngineOptions(1, [], undefined, otherV8), ['--v8-pool-size=1', collection]);
  assert.deepEqual(missingEngineOptions(2, [], undefined, otherV8), ['--v8-pool-size=1', collection]);
  assert.deepEqual(missingEngineOptions(4, ['--disable-warning=ExperimentalWarning'], '', otherV8), [
    '--v8-pool-size=3',
    collection,
  ]);
});

test('a host with many cores has its threads', () => {
  assert.deepEqual(missingEngineOptions(5, [], undefined, otherV8), [collection]);
  assert.deepEqual(missingEngineOptions(64, [], undefined, otherV8), [collection]);
});

test('calls are not counted for inlining, where V8 is known to have the option', () => {
  const both = [collection, '--no-wasm-inlining'];
  assert.deepEqual(missingEngineOptions(8, [], undefined, thisV8), both);
  assert.deepEqual(missingEngineOptions(2, [], undefined, thisV8), ['--v8-pool-size=1', ...both]);
  // The engine that runs this starts with it.
  const options = missingEngineOptions(8, [], undefined, process.versions.v8);
  assert.equal(spawnSync(process.execPath, [...options, '-e', '']).status, 0);
});

test('what the user or a restart has chosen stays', () => {
  const few = (given: readonly string[], environment?: string) =>
    missingEngineOptions(2, [collection, ...given], environment, otherV8);
  assert.deepEqual(few(['--v8-pool-size=1']), []);
  assert.deepEqual(few(['--v8-pool-size', '2']), []);
  assert.deepEqual(few([], '--no-warnings --v8-pool-size=4'), []);
  const many = (...given: string[]) => missingEngineOptions(8, given, undefined, thisV8);
  assert.deepEqual(many(collection, '--wasm-inlining'), []);
  assert.deepEqual(many(collection, '--no-wasm-inlining'), []);
  assert.deepEqual(many('--no-wasm-inlining'), [collection]);
});

test('the options give threads a way to have their garbage collected', () => {
  const options = missingEngineOptions(8, [], undefined, process.versions.v8);
  const program = "new (require('node:worker_threads').Worker)('gc({ type: `major` })', { eval: true })";
  assert.equal(spawnSync(process.execPath, [...options, '-e', program]).status, 0);
});

test('the allocator keeps to few arenas, unless the user has chosen', () => {
  assert.deepEqual(withFewArenas({ A: 'b' }), { A: 'b', MALLOC_ARENA_MAX: '2' });
  assert.deepEqual(withFewArenas({ MALLOC_ARENA_MAX: '8' }), { MALLOC_ARENA_MAX: '8' });
});
