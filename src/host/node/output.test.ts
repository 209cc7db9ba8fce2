import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tail } from './output.ts';

const written = async (lines: readonly string[], limit = 4096): Promise<Tail> => {
  const tail = new Tail(limit);
  for (const line of lines) await tail.write(Buffer.from(`${line}\r\n`));
  return tail;
};
const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n}`);

test('a tail has the last lines, and those since a mark', async () => {
  assert.deepEqual((await written(numbered(9))).lines(2, 'panic'), ['line 7', 'line 8']);
  assert.deepEqual((await written(['panic', ...numbered(3)])).lines(2, 'panic'), ['panic', ...numbered(3)]);
  assert.deepEqual((await written(['old panic', 'panic', 'end'])).lines(1, 'panic'), ['panic', 'end']);
  assert.deepEqual((await written([...numbered(3), 'panic'])).lines(2, 'panic'), ['line 2', 'panic']);
  assert.deepEqual((await written(['', 'one'])).lines(3, 'panic'), ['one']);
});

test('a tail keeps no more bytes than it may', async () => {
  const tail = await written(['panic', ...numbered(1000)], 40);
  assert.deepEqual(tail.lines(2, 'panic'), ['line 998', 'line 999']);
  assert.ok(tail.lines(1000, 'panic').join('').length <= 40);
});
