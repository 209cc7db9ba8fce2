import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachedRegions } from './detached-regions.ts';

const region = { run: () => 0, pages: [] };

test('only what was made of a chunk is forgotten with it', () => {
  const detached = new DetachedRegions();
  detached.set(100, region, [1, 2]);
  detached.set(200, region, [2, 3]);
  detached.set(300, undefined, [4]);
  detached.drop(1);
  assert.ok(!detached.has(100));
  assert.equal(detached.get(200), region);
  assert.ok(detached.touches(3));
  assert.ok(!detached.touches(1));
  detached.drop(4);
  assert.ok(!detached.has(300));
  detached.drop(3);
  assert.ok(!detached.has(200));
});

test('a run that meets ever new code keeps a bounded number of them', () => {
  const detached = new DetachedRegions();
  let kept = 0;
  for (let at = 0; at < 10_000; at++) detached.set(at, region, [at >> 6]);
  for (let at = 0; at < 10_000; at++) if (detached.has(at)) kept++;
  assert.ok(kept > 0 && kept <= 4096);
  assert.equal(detached.get(9_999), region);
});
