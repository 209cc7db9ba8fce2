import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSubordinateIds } from './build-room.ts';

test('subordinate ids are found by name and by number, if there are enough of them', () => {
  const text = '# a comment\n\nada:100000:65536\nbob:200000:1000\nbob:300000:70000\n1003:400000:65535\neve:x:65536\n';
  assert.deepEqual(parseSubordinateIds(text, 'ada', 1001), { first: 100000, count: 65536 });
  assert.deepEqual(parseSubordinateIds(text, 'bob', 1002), { first: 300000, count: 70000 });
  assert.deepEqual(parseSubordinateIds(text, 'dan', 1003), { first: 400000, count: 65535 });
  for (const name of ['eve', 'mallory', 'ad', '# a comment'])
    assert.equal(parseSubordinateIds(text, name, 7), undefined);
});
