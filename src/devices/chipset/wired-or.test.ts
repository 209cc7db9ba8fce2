import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestLine } from '../testing/test-board.ts';
import { WiredOr } from './wired-or.ts';

test('the wire is up for as long as one driver holds it', () => {
  const line = new TestLine();
  const shared = new WiredOr(line);
  const [a, b] = [shared.input(), shared.input()];
  a.set(true);
  b.set(true);
  a.set(true);
  a.set(false);
  assert.equal(line.level, true);
  b.set(false);
  assert.equal(line.level, false);
  b.set(false);
  b.set(true);
  assert.equal(line.level, true);
  assert.equal(line.edges, 2);
});
