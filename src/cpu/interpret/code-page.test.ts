import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodePage, keyOf } from './code-page.ts';
import { record } from './record.ts';
import { chunksOfPage, RecordIndex } from './record-index.ts';

const view = new DataView(new ArrayBuffer(4096));
const words = 1 << 20;
/** A record of an instruction of so many bytes; 0: of what is none. */
function recordOf(length: number): number {
  const address = length * record.size;
  view.setUint8(address + record.length, length);
  return address;
}

const touched = (page: CodePage): number[] =>
  Array.from({ length: chunksOfPage }, (_, chunk) => chunk).filter((chunk) => page.touches(chunk));

test('a page knows which of its chunks hold bytes of instructions', () => {
  const page = new CodePage(7, new RecordIndex(view, new Int32Array(words)));
  assert.deepEqual(touched(page), []);
  page.set(keyOf(2, 0), recordOf(1));
  page.set(keyOf(2, 62), recordOf(5)); // the last two bytes of chunk 0, the first three of chunk 1
  page.set(keyOf(1, 130), recordOf(3));
  page.set(keyOf(2, 4090), recordOf(0)); // what is no instruction may end beyond the page
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
  const page = new CodePage(0, new RecordIndex(view, new Int32Array(words)));
  for (let mode = 0; mode < 5; mode++) for (let at = 0; at < 64; at++) page.set(keyOf(mode, at), recordOf(1));
  for (let mode = 0; mode < 5; mode++) {
    for (let at = 0; at < 64; at++) {
      assert.ok(page.touches(0));
      page.retire(keyOf(mode, at));
    }
  }
  assert.ok(!page.touches(0));
});
