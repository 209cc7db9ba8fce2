import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxJobs } from './job.ts';
import { LatestRegions } from './latest-regions.ts';

test('the middle of a new region waits once: asked for again, it is not reached by the region', () => {
  const latest = new LatestRegions();
  latest.begin();
  latest.add(100);
  latest.add(200);
  assert.ok(!latest.postpones(300));
  latest.begin();
  assert.deepEqual([latest.postpones(100), latest.postpones(100), latest.postpones(200)], [true, false, true]);
});

test('what is long ago is forgotten', () => {
  const latest = new LatestRegions();
  latest.begin();
  latest.add(100);
  for (let job = 0; job < maxJobs; job++) latest.begin();
  assert.ok(latest.postpones(100));
  latest.begin();
  assert.ok(!latest.postpones(100));
});
