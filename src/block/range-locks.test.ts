import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RangeLock, RangeLocks } from './range-locks.ts';

/** Tells after a moment whether the lock is held. */
async function held(lock: RangeLock): Promise<boolean> {
  if (lock.granted === undefined) return true;
  return Promise.race([lock.granted.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

test('shared ones overlap, exclusive ones do not, and strangers do not matter', async () => {
  const locks = new RangeLocks();
  const first = locks.acquire(0, 10, false);
  const second = locks.acquire(5, 15, false);
  const writer = locks.acquire(8, 9, true);
  const elsewhere = locks.acquire(15, 20, true);
  assert.deepEqual(await Promise.all([first, second, writer, elsewhere].map(held)), [true, true, false, true]);
  locks.release(first);
  assert.equal(await held(writer), false);
  locks.release(second);
  assert.equal(await held(writer), true);
});

test('who came first goes first', async () => {
  const locks = new RangeLocks();
  const reader = locks.acquire(0, 10, false);
  const writer = locks.acquire(0, 10, true);
  const late = locks.acquire(0, 10, false);
  assert.deepEqual([await held(writer), await held(late)], [false, false]);
  locks.release(reader);
  assert.deepEqual([await held(writer), await held(late)], [true, false]);
  locks.release(writer);
  assert.equal(await held(late), true);
});

test('a lock that becomes a shared one lets the readers in', async () => {
  const locks = new RangeLocks();
  const writer = locks.acquire(0, 10, true);
  const reader = locks.acquire(0, 10, false);
  const next = locks.acquire(0, 10, true);
  locks.share(writer);
  assert.deepEqual([await held(reader), await held(next)], [true, false]);
  locks.release(writer);
  assert.equal(await held(next), false);
  locks.release(reader);
  assert.equal(await held(next), true);
});
