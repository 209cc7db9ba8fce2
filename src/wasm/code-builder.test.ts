import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodeBuilder } from './code-builder.ts';
import { i32Constant } from './expression.ts';
import { control } from './opcodes.ts';

test('branch hints of prologue and body point at their branches, in ascending order', () => {
  const code = new CodeBuilder(['i32']);
  const condition = code.get(code.parameter(0));
  code.local('i64');
  code.if(condition, () => code.return(), undefined, true);
  code.prologue(() => code.if(condition, () => code.return(), undefined, false));
  code.if(condition, () => code.drop(i32Constant(1)), undefined, false);
  const { body, hints } = code.finish();
  assert.deepEqual(
    hints.map(({ likely }) => likely),
    [false, true, false],
  );
  const offsets = hints.map(({ offset }) => offset);
  assert.deepEqual(
    offsets,
    offsets.toSorted((a, b) => a - b),
  );
  for (const offset of offsets) assert.equal(body[offset], control.if);
});
