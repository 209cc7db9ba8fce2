import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runOwned, startOwned } from './owned-process.ts';

const sh = (script: string) => ({ program: 'sh', args: ['-c', script] });
const timeoutMs = 60_000;

test('what a program prints, and what it reads', async () => {
  const ended = await runOwned(sh('cat; echo more'), { timeoutMs, input: Buffer.from('given ') });
  assert.deepEqual(ended, { ok: true, value: 'given more\n' });
});

test('a failure says how it ended and the last that was said', async () => {
  const ended = await runOwned(sh('echo first >&2; echo last >&2; exit 3'), { timeoutMs });
  assert.ok(!ended.ok);
  assert.equal(ended.error.message, 'it ended with status 3: last');
  const missing = await runOwned({ program: '/nonexistent/program', args: [] }, { timeoutMs });
  assert.ok(!missing.ok);
  assert.match(missing.error.message, /ENOENT/);
});

test('one that takes too long, or says too much, is ended', async () => {
  const late = await runOwned(sh('exec sleep 1000'), { timeoutMs: 50 });
  assert.ok(!late.ok && late.error.kind === 'timeout');
  const loud = await runOwned(sh('exec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'), { timeoutMs });
  assert.ok(!loud.ok && /without end/.test(loud.error.message));
});

test('a family goes together', async () => {
  const { child, kill } = startOwned(sh('sleep 1000 & echo $!; wait'), true);
  const [bytes] = await new Promise<[Buffer]>((resolve) => child.stdout.once('data', (data) => resolve([data])));
  const grandchild = Number(bytes.toString());
  kill();
  await new Promise((resolve) => child.once('close', resolve)); // Its output is open for as long as either lives.
  assert.ok(grandchild > 0);
});
