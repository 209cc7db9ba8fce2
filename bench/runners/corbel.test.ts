import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStatistics } from './corbel.ts';

test('statistics are the last JSON object among other messages', () => {
  const stderr = 'corbel: building\n{"instructions":1}\ncorbel: something\n{"instructions":7,"runSeconds":0.5}\n';
  assert.deepEqual(parseStatistics(stderr), { instructions: 7, runSeconds: 0.5 });
});

test('no statistics, or torn ones', () => {
  assert.equal(parseStatistics('corbel: the guest died\n'), undefined);
  assert.equal(parseStatistics('{"instructions":1'), undefined);
});
