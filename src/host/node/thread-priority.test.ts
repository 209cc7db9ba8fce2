import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { getPriority } from 'node:os';
import { test } from 'node:test';

const from = JSON.stringify(new URL('thread-priority.ts', import.meta.url).href);

/** Of who runs the tests. */
const usual = getPriority();
const low = Math.min(19, usual + 5);

/** The priorities of a process's threads by name, after it ran `program`. */
function prioritiesAfter(program: string): Map<string, number[]> {
  const list = `const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs');
    for (const thread of readdirSync('/proc/self/task')) {
      const [, name, rest] = /\\((.*)\\) (.*)/.exec(readFileSync('/proc/self/task/' + thread + '/stat', 'latin1'));
      console.log(name + ' ' + rest.split(' ')[16]);
    }`;
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e'];
  const code = `const { lowerCompilers, lowerThisThread } = await import(${from}); ${program}; ${list}`;
  const { stdout, stderr } = spawnSync(process.execPath, [...options, code], { encoding: 'utf8' });
  assert.equal(stderr, '');
  const found = new Map<string, number[]>();
  for (const line of stdout.trimEnd().split('\n')) {
    const [name = '', priority] = line.split(' ');
    found.set(name, [...(found.get(name) ?? []), Number(priority)]);
  }
  return found;
}

/** Elsewhere threads have no priorities of their own that a process could set or see. */
const elsewhere = process.platform !== 'linux';

test('what compiles gives way to what runs', { skip: elsewhere }, () => {
  const found = prioritiesAfter('lowerCompilers()');
  const compilers = found.get('node-V8Worker') ?? [];
  assert.ok(compilers.length > 0);
  assert.deepEqual([...new Set(compilers)], [low]);
  assert.deepEqual(found.get('node-MainThread'), [usual]);
});

test('a thread lowers itself and nobody else', { skip: elsewhere }, () => {
  const found = prioritiesAfter(`const { Worker } = process.getBuiltinModule('node:worker_threads');
    const code = 'import(' + ${JSON.stringify(from)} + ').then(({ lowerThisThread }) => { lowerThisThread(); setInterval(() => {}, 1e6); postMessage(0); })';
    const worker = new Worker(code.replace('postMessage', 'process.getBuiltinModule("node:worker_threads").parentPort.postMessage'), { eval: true });
    await new Promise((resolve) => worker.once('message', resolve)); worker.unref()`);
  assert.equal([...found.values()].flat().filter((priority) => priority === low).length, 1);
  assert.deepEqual(found.get('node-MainThread'), [usual]);
  assert.ok((found.get('node-V8Worker') ?? []).every((priority) => priority === usual));
});

test('a process of low priority goes no lower than there is', { skip: elsewhere }, () => {
  const found = prioritiesAfter(
    `process.getBuiltinModule('node:os').setPriority(0, ${Math.max(usual, 17)}); lowerCompilers()`,
  );
  assert.deepEqual([...new Set(found.get('node-V8Worker'))], [19]);
});
