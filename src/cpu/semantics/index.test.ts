import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodeBuilder } from '../../wasm/code-builder.ts';
import { ModuleBuilder } from '../../wasm/module-builder.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { type FormKey, formOf } from '../emit/forms.ts';
import type { TableRow } from '../isa/row.ts';
import { instructionTable } from '../isa/table.ts';
import { families, semantics } from './index.ts';
import { outcome, TestOps } from './testing/test-ops.ts';

test('no two families claim the same name', () => {
  const names = families.flatMap((family) => Object.keys(family));
  assert.equal(new Set(names).size, names.length);
  assert.equal(Object.keys(semantics).length, names.length);
});

/** Every combination that an encoding of the row can have. */
function keysOf(row: TableRow, long: boolean): FormKey[] {
  if (row.only === (long ? 'not64' : 'only64')) return [];
  const sizes = long ? ([16, 32, 64] as const) : ([16, 32] as const);
  const addressSizes = long ? ([32, 64] as const) : ([16, 32] as const);
  const forms = row.mod === undefined ? [true, false] : [row.mod !== 'mem'];
  const repeats = row.rep === undefined ? ([0] as const) : ([0, 0xf2, 0xf3] as const);
  return sizes.flatMap((operandSize) =>
    addressSizes.flatMap((addressSize) =>
      forms.flatMap((registerForm) =>
        repeats.map((repeat) => ({ operandSize, addressSize, registerForm, repeat, long, locked: false })),
      ),
    ),
  );
}

function emitForms(builder: ModuleBuilder, row: TableRow, long: boolean): number {
  const keys = keysOf(row, long);
  for (const key of keys) {
    const code = new CodeBuilder([]);
    const ops = new TestOps(code);
    ops.form = formOf(row, key);
    semantics[row.semantics]?.(ops, ops.form);
    code.return(ops.i32(outcome.next));
    builder.define(builder.declare({ parameters: [], results: ['i32'] }), code);
  }
  return keys.length;
}

test('every row has a meaning, and valid code for each of its forms', () => {
  const builder = new ModuleBuilder();
  builder.importMemory('state', { initial: 1, maximum: 1 });
  builder.importMemory('guest', { initial: 1, maximum: 1 });
  let forms = 0;
  for (const row of instructionTable) {
    assert.ok(semantics[row.semantics] !== undefined, `${row.mnemonic}: ${row.semantics}`);
    for (const long of [true, false]) {
      const emitted = emitForms(builder, row, long);
      forms += emitted;
    }
  }
  assert.ok(forms > 4000);
  assert.doesNotThrow(() => new webAssembly.Module(builder.finish()));
});
