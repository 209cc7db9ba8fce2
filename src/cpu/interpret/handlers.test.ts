import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { type WasmTable, webAssembly } from '../../wasm/webassembly.ts';
import type { TableRow } from '../isa/row.ts';
import { type RowFacts, rowFacts } from '../isa/row-facts.ts';
import { instructionTable } from '../isa/table.ts';
import { semantics } from '../semantics/index.ts';
import { createVcpuMemory } from '../state/vcpu-memory.ts';
import { findCpuModel } from '../system/cpu-model.ts';
import { afterCases, dispatchCases } from './dispatch-cases.ts';
import { formKeys, handlerKey, maxHandlers, pseudoHandler } from './handler-keys.ts';
import { Handlers, type HandlersOptions } from './handlers.ts';
import { prepareInterpreter } from './prepare.ts';
import { openPreparedHandlers, type PreparedHandlers } from './prepared.ts';
import { type SharedExports, sharedTypes } from './shared-types.ts';

const prepared = (): PreparedHandlers => openPreparedHandlers(prepareInterpreter().handlers);

const factsOf = (row: TableRow): RowFacts => rowFacts[row.id] as RowFacts;

/** Handlers whose shared functions are never called. */
function openHandlers(more: Partial<HandlersOptions> = {}): { handlers: Handlers; table: WasmTable } {
  const ram = new GuestMemory(new webAssembly.Memory({ initial: 1, maximum: 1, shared: true }), 0x1_0000);
  const table = new webAssembly.Table({ element: 'anyfunc', initial: maxHandlers, maximum: maxHandlers });
  const shared = Object.fromEntries(
    Object.keys(sharedTypes).map((name) => [name, () => 0]),
  ) as unknown as SharedExports;
  const host = {
    vcpuMemory: createVcpuMemory(),
    guestMemory: ram.memory,
    table,
    shared,
  };
  const features = findCpuModel('max')?.features ?? new Set<string>();
  const options = {
    semantics,
    features,
    cases: { forms: [], pairs: [] },
    atomic: false,
    countsLookups: false,
    ...more,
  };
  return { handlers: new Handlers(host, options), table };
}

test('a guest that runs every form of every instruction finds a handler for each', () => {
  const { handlers } = openHandlers();
  const numbers = new Set<number>();
  for (const row of instructionTable) {
    for (const long of [false, true]) {
      for (const key of formKeys(row, long)) numbers.add(handlers.numberOf(factsOf(row), key, key.long, key.locked));
    }
  }
  assert.ok(numbers.size > instructionTable.length);
  assert.ok(Math.max(...numbers) < maxHandlers, `${Math.max(...numbers)}`);
});

test('forms that differ in nothing share a handler, others do not', () => {
  const { handlers } = openHandlers();
  const row = instructionTable.find(({ mnemonic, operands }) => mnemonic === 'ADD' && operands === 'Eb,Gb');
  assert.ok(row !== undefined);
  const form = { addressSize: 64, repeat: 0, long: true, locked: false } as const;
  const numberOf = (operandSize: 16 | 32, registerForm: boolean): number =>
    handlers.numberOf(factsOf(row), { ...form, operandSize, registerForm }, form.long, form.locked);
  assert.equal(numberOf(16, true), numberOf(32, true));
  assert.notEqual(numberOf(16, true), numberOf(16, false));
});

test('handlers that were made beforehand are those of common forms; the others follow them', () => {
  const made = prepared();
  const cases = dispatchCases(semantics);
  assert.deepEqual(Array.from(made.cases.forms), cases.numbers.forms);
  assert.deepEqual(Array.from(made.cases.pairs), cases.numbers.pairs);
  const { handlers, table } = openHandlers({ cases: made.cases, prepared: made });
  const inlined = new Map<number, number>();
  for (let n = 0; n < made.cases.forms.length; n += 2) {
    inlined.set(made.cases.forms[n] as number, made.cases.forms[n + 1] as number);
  }
  const keys = new Map<number, number>();
  for (let n = 0; n < made.numbers.length; n += 2) keys.set(made.numbers[n] as number, made.numbers[n + 1] as number);
  const last = Math.max(...keys.values());
  assert.equal(table.get(last + 1), null);
  for (const row of instructionTable) {
    for (const long of [false, true]) {
      for (const key of formKeys(row, long)) {
        const number = handlers.numberOf(factsOf(row), key, key.long, key.locked);
        const common = key.addressSize === (long ? 64 : 32);
        const own = inlined.get(handlerKey(row, key));
        if (own !== undefined) assert.equal(number, own);
        else if (common) assert.equal(number, keys.get(handlerKey(row, key)));
        else assert.ok(number > last, `${row.mnemonic} ${row.operands}`);
        if (number >= afterCases(cases)) assert.equal(typeof table.get(number), 'function');
      }
    }
  }
});

test('what a processor does not offer has no handler, made beforehand or not', () => {
  const row = instructionTable.find(({ mnemonic, feature }) => mnemonic === 'CRC32' && feature !== undefined);
  assert.ok(row !== undefined);
  const key = formKeys(row, true).find(({ addressSize }) => addressSize === 64);
  assert.ok(key !== undefined);
  for (const more of [{}, { cases: dispatchCases(semantics).numbers, prepared: prepared() }]) {
    const { handlers } = openHandlers({ ...more, features: new Set() });
    assert.equal(handlers.numberOf(factsOf(row), key, true, false), pseudoHandler.undefined);
  }
});
