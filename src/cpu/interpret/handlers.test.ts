import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { instructionTable } from '../isa/table.ts';
import { semantics } from '../semantics/index.ts';
import { findCpuModel } from '../system/cpu-model.ts';
import { formKeys, Handlers, maxHandlers } from './handlers.ts';
import { createVcpuMemory } from './interpreter.ts';
import { type SharedExports, sharedTypes } from './shared-types.ts';

/** Handlers whose shared functions are never called. */
function openHandlers(): Handlers {
  const ram = new GuestMemory(new webAssembly.Memory({ initial: 1, maximum: 1, shared: true }), 0x1_0000);
  const nothing = new webAssembly.Table({ element: 'anyfunc', initial: maxHandlers, maximum: maxHandlers });
  const shared = Object.fromEntries(
    Object.keys(sharedTypes).map((name) => [name, () => 0]),
  ) as unknown as SharedExports;
  const host = {
    vcpuMemory: createVcpuMemory(),
    guestMemory: ram.memory,
    table: nothing,
    shared,
  };
  const features = findCpuModel('max')?.features ?? new Set<string>();
  return new Handlers(host, semantics, features, []);
}

test('a guest that runs every form of every instruction finds a handler for each', () => {
  const handlers = openHandlers();
  const numbers = new Set<number>();
  for (const row of instructionTable) {
    for (const long of [false, true]) {
      for (const key of formKeys(row, long)) numbers.add(handlers.numberOf(row, key, key.long, key.locked));
    }
  }
  assert.ok(numbers.size > instructionTable.length);
  assert.ok(Math.max(...numbers) < maxHandlers, `${Math.max(...numbers)}`);
});

test('forms that differ in nothing share a handler, others do not', () => {
  const handlers = openHandlers();
  const row = instructionTable.find(({ mnemonic, operands }) => mnemonic === 'ADD' && operands === 'Eb,Gb');
  assert.ok(row !== undefined);
  const form = { addressSize: 64, repeat: 0, long: true, locked: false } as const;
  const numberOf = (operandSize: 16 | 32, registerForm: boolean): number =>
    handlers.numberOf(row, { ...form, operandSize, registerForm }, form.long, form.locked);
  assert.equal(numberOf(16, true), numberOf(32, true));
  assert.notEqual(numberOf(16, true), numberOf(16, false));
});
