import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WindowSize } from './window-size.ts';

test('a guest that does not listen is told the latest size alone, when it does', async () => {
  const sent: string[] = [];
  const taken: (() => void)[] = [];
  const window = new WindowSize((bytes) => {
    sent.push(Buffer.from(bytes).toString());
    return new Promise<void>((resolve) => taken.push(resolve));
  });
  for (let rows = 1; rows <= 1000; rows++) window.set(rows, 80);
  assert.deepEqual(sent, ['1 80\n']);
  taken.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, ['1 80\n', '1000 80\n']);
  taken.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  window.set(24, 80);
  assert.deepEqual(sent.slice(2), ['24 80\n']);
});
