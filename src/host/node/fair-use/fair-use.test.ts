import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharesOf } from './fair-use.ts';

test('a process of lower priority has as much fewer shares as the kernel gives it less', () => {
  assert.equal(sharesOf(0), 1024);
  // The kernel gives a nice of 19 a weight of 15, and one of 5 335. Source: linux, sched_prio_to_weight.
  assert.equal(sharesOf(19), 15);
  assert.ok(Math.abs(sharesOf(5) - 335) <= 1);
});
