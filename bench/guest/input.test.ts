import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { textInput } from './input.ts';

test('input has its size, is always the same, and is a beginning of the longer one', () => {
  const short = textInput(10_000);
  assert.equal(short.length, 10_000);
  assert.deepEqual(textInput(10_000), short);
  assert.deepEqual(textInput(50_000).subarray(0, 10_000), short);
});

test('input compresses about as written text does', () => {
  const bytes = textInput(1_000_000);
  const ratio = deflateSync(bytes).length / bytes.length;
  assert.ok(ratio > 0.25 && ratio < 0.5, `${ratio}`);
});
