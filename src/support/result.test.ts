import assert from 'node:assert/strict';
import { test } from 'node:test';
import { andThen, fail, mapResult, ok, type Result } from './result.ts';

function positive(n: number): Result<number> {
  return n > 0 ? ok(n) : fail('not-positive', `${n} is not above 0`);
}

test('a success is mapped and chained', () => {
  assert.deepEqual(
    mapResult(positive(2), (n) => n * 10),
    { ok: true, value: 20 },
  );
  assert.deepEqual(andThen(positive(2), positive), { ok: true, value: 2 });
});

test('a failure keeps its kind and message through both', () => {
  const failure = { ok: false, error: { kind: 'not-positive', message: '-1 is not above 0' } };
  assert.deepEqual(
    mapResult(positive(-1), (n) => n * 10),
    failure,
  );
  assert.deepEqual(andThen(positive(-1), positive), failure);
  assert.deepEqual(
    andThen(positive(1), () => positive(-1)),
    failure,
  );
});
