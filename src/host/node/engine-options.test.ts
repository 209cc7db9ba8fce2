import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { missingEngineOptions, missingFlags } from './engine-options.ts';

test('a host with few cores keeps one for the guest', () => {
  assert.deepEqual(missingEngineOptions(1, [], undefined), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(2, [], undefined), ['--v8-pool-size=1']);
  assert.deepEqual(missingEngineOptions(4, ['--disable-warning=ExperimentalWarning'], ''), ['--v8-pool-size=3']);
});

test('a host with many cores has its threads', () => {
  assert.deepEqual(missingEngineOptions(5, [], undefined), []);
  assert.deepEqual(missingEngineOptions(64, [], undefined), []);
});

test('what the user or a restart has chosen stays', () => {
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size=1'], undefined), []);
  assert.deepEqual(missingEngineOptions(2, ['--v8-pool-size', '2'], undefined), []);
  assert.deepEqual(missingEngineOptions(2, [], '--no-warnings --v8-pool-size=4'), []);
});

test('flags for guests, where V8 is known to have them and nobody has chosen', () => {
  const thisV8 = '14.6.202.33-node.21';
  const late = '--invocation-count-for-turbofan=30000';
  assert.deepEqual(missingFlags([], undefined, thisV8), [
    ...['--no-wasm-inlining-call-indirect', '--no-wasm-inlining'],
    late,
  ]);
  assert.deepEqual(missingFlags([], undefined, '15.0.1-node.1'), []);
  assert.deepEqual(missingFlags(['--wasm-inlining'], undefined, thisV8), [late]);
  assert.deepEqual(missingFlags([], '--no-warnings --no-wasm-inlining', thisV8), [late]);
  assert.equal(missingFlags(['--invocation-count-for-turbofan=1'], undefined, thisV8).length, 2);
});

/** Runs a program in an engine of its own. */
function inEngine(program: string): { status: number | null; stdout: string } {
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  const { status, stdout } = spawnSync(process.execPath, options, { encoding: 'utf8' });
  return { status, stdout };
}

/** A function that goes through a table to another, often enough for V8 to optimise it. */
const indirectCalls = `
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 3, 2, 0, 0, 4, 4, 1, 112, 0, 1, 7, 5, 1, 1, 114, 0, 1,
    9, 7, 1, 0, 65, 0, 11, 1, 0, 10, 14, 2, 4, 0, 65, 7, 11, 7, 0, 65, 0, 17, 0, 0, 11];
  const { r } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports;
  for (let n = 0; n < 3e5; n++) if (r() !== 7) process.exit(1);`;

test('the engine of this program takes the flags from inside', () => {
  const flags = missingFlags([], undefined, process.versions.v8);
  assert.equal(flags.length, 3);
  const set = `import { setFlagsFromString } from 'node:v8'; for (const flag of ${JSON.stringify(flags)}) setFlagsFromString(flag);`;
  assert.equal(inEngine(`${set} ${indirectCalls}`).status, 0);
});

test('garbage is collected on demand', () => {
  const from = JSON.stringify(new URL('engine-options.ts', import.meta.url).href);
  const program = `const { garbageCollector } = await import(${from}); const collect = garbageCollector();
    let kept = new Array(1e6).fill(0).map(() => ({})); const used = () => process.memoryUsage().heapUsed;
    const before = used(); kept = undefined; collect(); console.log(before - used());`;
  assert.ok(Number(inEngine(program).stdout) > 10e6);
});

test('so it is in a thread with limits, which goes on', () => {
  const from = JSON.stringify(new URL('engine-options.ts', import.meta.url).href);
  const thread = `import(${from}).then(({ garbageCollector }) => { const collect = garbageCollector(); const kept = [];
    for (let n = 0; n < 3; n++) { collect(); kept.push(new Array(1e5).fill(n)); }
    process.getBuiltinModule('node:worker_threads').parentPort.postMessage(kept.length); })`;
  const program = `import { Worker } from 'node:worker_threads';
    const worker = new Worker(${JSON.stringify(thread)}, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 4 } });
    worker.on('message', (rounds) => console.log(rounds));`;
  assert.equal(inEngine(program).stdout, '3\n');
});
