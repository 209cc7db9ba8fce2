import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { PulledInput } from './standard-input.ts';

const text = async (bytes: Promise<Uint8Array>): Promise<string> => Buffer.from(await bytes).toString();

test('input comes in pieces of the size that is asked for, and ends', async () => {
  const stream = new PassThrough();
  const input = new PulledInput(() => stream);
  stream.end('some words');
  assert.deepEqual(
    [await text(input.read(4)), await text(input.read(100)), await text(input.read(1))],
    ['some', ' words', ''],
  );
});

test('what a guest waited for when it was reset goes to the one that starts next', async () => {
  const stream = new PassThrough();
  const input = new PulledInput(() => stream);
  const before = text(input.read(100));
  input.handOver();
  const after = text(input.read(100));
  stream.write('a line');
  assert.deepEqual([await before, await after], ['', 'a line']);
});
