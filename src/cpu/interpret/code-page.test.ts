import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodePage, chunksOfPage, keyOf } from './code-page.ts';

const touched = (page: CodePage): number[] =>
  Array.from({ length: chunksOfPage }, (_, chunk) => chunk).filter((chunk) => page.touches(chunk));

test('a page knows which of its chunks hold bytes of instructions', () => {
  const page = new CodePage(7);
  assert.deepEqual(touched(page), []);
  page.set(keyOf(2, 0), 0x1000, 1);
  page.set(keyOf(2, 62), 0x1020, 5); // the last two bytes of chunk 0, the first three of chunk 1
  page.set(keyOf(1, 130), 0x1040, 3);
  page.set(keyOf(2, 4090), 0x1060, 15); // what is no instruction may end beyond the page
  assert.deepEqual(touched(page), [0, 1, 2, 63]);
  page.retire(keyOf(2, 62));
  assert.deepEqual(touched(page), [0, 2, 63]);
  page.retire(keyOf(2, 0));
  page.retire(keyOf(1, 130));
  page.retire(keyOf(2, 4090));
  assert.deepEqual(touched(page), []);
  assert.ok(page.isEmpty);
});

test('many instructions at one place, in every mode, are counted one by one', () => {
  const page = new CodePage(0);
  for (let mode = 0; mode < 5; mode++) for (let at = 0; at < 64; at++) page.set(keyOf(mode, at), at, 1);
  for (let mode = 0; mode < 5; mode++) {
    for (let at = 0; at < 64; at++) {
      assert.ok(page.touches(0));
      page.retire(keyOf(mode, at));
    }
  }
  assert.ok(!page.touches(0));
});
