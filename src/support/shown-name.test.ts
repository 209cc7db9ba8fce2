import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownName } from './shown-name.ts';

test('names are shown as they are', () => {
  for (const name of ['', 'before the update', 'vor dem Update: größer, 更新前', 'x'.repeat(64), '😀'.repeat(64)])
    assert.equal(shownName(name), name);
});

test('what would move a cursor, or turn text around, is not shown', () => {
  assert.equal(shownName('a\nb\r\tc\u001b[2Jd\u0085e\u2028f\u202eg\u0000'), 'a?b??c?[2Jd?e?f?g?');
});

test('a name that goes on and on is cut', () => {
  assert.equal(shownName('x'.repeat(65)), `${'x'.repeat(63)}…`);
  assert.equal(shownName('\u0003'.repeat(65_535)), `${'?'.repeat(63)}…`);
});
