import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '../decode/decoder.ts';
import { type Code, discover } from './discover.ts';

const mode = { codeSize: 64, real: false } as const;

/** What `discover` finds in `code`, all of which is known; other regions begin at `entries`. */
function find(code: readonly number[], entries: readonly number[]): Code {
  const bytes = new Uint8Array(code);
  const source = {
    decode: (offset: number) => decode(bytes, offset, bytes.length, mode),
    isKnown: () => true,
    isReached: () => true,
    isWarm: () => true,
    isEntry: (offset: number) => entries.includes(offset),
    translatable: () => true,
  };
  return discover(0, source, 500);
}

const inc = [0xff, 0xc0];
const repeat = (instruction: readonly number[], times: number): number[] => Array(times).fill(instruction).flat();
const ret = 0xc3;

test('code ends where a long region begins, and takes in what is short', () => {
  const long = find([...inc, ...repeat(inc, 40), ret], [2]);
  assert.equal(long.instructions, 1);
  assert.deepEqual([long.blocks.get(0)?.end, long.blocks.get(0)?.interpreted], [2, true]);
  const short = find([...inc, ...repeat(inc, 4), ret], [2]);
  assert.equal(short.instructions, 6);
});

test('neither jumps nor calls lead into a long region', () => {
  // inc eax; jz 10; call 10; ret; 10: 40 times inc eax; ret
  const code = find([...inc, 0x74, 0x06, 0xe8, 1, 0, 0, 0, ret, ...repeat(inc, 40), ret], [10]);
  assert.equal(code.instructions, 4);
  assert.deepEqual(
    [...code.blocks.keys()].toSorted((a, b) => a - b),
    [0, 4, 9],
  );
});

test('no region ends behind STI, before which nobody looks for interrupts', () => {
  const sti = 0xfb;
  const code = find([...inc, sti, ...repeat(inc, 40), ret], [3]);
  assert.equal(code.instructions, 1);
  assert.deepEqual([code.blocks.get(0)?.end, code.blocks.get(0)?.interpreted], [2, true]);
});
