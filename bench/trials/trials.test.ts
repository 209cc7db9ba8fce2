/** The commands of trials, run by a shell of the host: they have to do what they say, and to fail where they must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runOwned } from '../measure/owned-process.ts';
import { debianTrials, guestProxyOption } from './debian-trials.ts';
import { atOnce, processorGains, processorTrials } from './processor-trials.ts';

const run = (script: string) => runOwned({ program: 'sh', args: ['-c', script] }, { timeoutMs: 60_000 });

test('copies run at once, each with its number, and one that fails is not overlooked', async () => {
  const both = await run(atOnce(3, 'echo $n'));
  assert.deepEqual(both.ok && both.value.trim().split('\n').sort(), ['0', '1', '2']);
  assert.ok(!(await run(atOnce(3, '[ $n != 1 ]'))).ok);
});

test("the host's proxy for packages is one that its guests reach", () => {
  assert.equal(guestProxyOption("PROXY='http://127.0.0.1:3142/'\n"), '-o Acquire::http::Proxy=http://10.0.2.2:3142/');
  assert.equal(guestProxyOption("PROXY='http://cache:3142'"), '-o Acquire::http::Proxy=http://cache:3142');
  assert.equal(guestProxyOption(''), '');
  assert.equal(guestProxyOption("PROXY='http://a;$(reboot)'"), '');
});

test('every series has a name of its own, a unit and a direction', () => {
  const source = { ok: true, value: '' } as const;
  const measures = [...debianTrials(''), ...processorTrials(2, source)].map(({ measure }) => measure);
  assert.equal(new Set(measures.map(({ name }) => name)).size, measures.length);
  for (const { name, unit, better } of measures) {
    assert.equal(better, unit.endsWith('/s') ? 'more' : 'less', name);
  }
});

test('what gains are computed from is measured', () => {
  const names = processorTrials(4, { ok: true, value: '' }).map(({ measure }) => measure.name);
  for (const { one, all } of processorGains(4)) assert.ok(names.includes(one) && names.includes(all), `${one} ${all}`);
});

test('without a source nothing is compiled', () => {
  const none = { ok: false, error: { kind: 'unavailable', message: 'no' } } as const;
  assert.ok(processorTrials(2, none).every(({ measure }) => !measure.name.includes('make')));
});
