/** What tests make of results. */
import assert from 'node:assert/strict';
import type { Failure, Result } from '../result.ts';

/** The value of a success; a failure fails the test with its message. */
export function value<T>(result: Result<T, Failure>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.kind}: ${result.error.message}`);
  return result.value;
}

/** The kind of a failure; a success fails the test. */
export function kindOf(result: Result<unknown, Failure>): string {
  assert.ok(!result.ok, 'it succeeded');
  return result.error.kind;
}

/** The message of a failure; a success fails the test. */
export function messageOf(result: Result<unknown, Failure>): string {
  assert.ok(!result.ok, 'it succeeded');
  return result.error.message;
}
