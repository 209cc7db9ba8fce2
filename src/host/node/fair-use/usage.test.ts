import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processorList, RecentRate } from './usage.ts';

const second = 1e9;

test('a rate is that of the last second', () => {
  const rate = new RecentRate();
  assert.equal(rate.value, undefined);
  for (let n = 0; n <= 20; n++) rate.add((n * second) / 10, n <= 10 ? 0 : ((n - 10) * second) / 20);
  assert.equal(rate.value, 0.5);
});

test('the same moment twice, a counter that begins anew, and a long gap are no rate', () => {
  const rate = new RecentRate();
  rate.add(second, 5);
  rate.add(second, 5);
  assert.equal(rate.value, undefined);
  rate.add(2 * second, 4);
  assert.equal(rate.value, undefined);
  rate.add(3 * second, second + 4);
  assert.equal(rate.value, 1);
  rate.add(60 * second, 9 * second);
  assert.equal(rate.value, undefined);
});

test('the processors that a process may run on are read from what the kernel says', () => {
  const allowed = (list: string): number[] => {
    const contains = processorList(`Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`);
    return [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter((number) => contains?.(number));
  };
  assert.deepEqual(allowed('0-1'), [0, 1]);
  assert.deepEqual(allowed('3'), [3]);
  assert.deepEqual(allowed('0,2-4,9'), [0, 2, 3, 4, 9]);
  assert.equal(processorList('Name: x'), undefined);
});
