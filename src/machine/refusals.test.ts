/** What no machine can be made of is refused with one sentence, never with an exception. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelSource, MachineConfig } from './config.ts';
import { bareMetal, hlt } from './testing/guest.ts';
import { configFor, TestHost, tryMachine } from './testing/host.ts';

const good = bareMetal([hlt]);
const mebibyte = 2 ** 20;

function refusal(kernel: Uint8Array, rest: Partial<MachineConfig> = {}): { kind: string; message: string } {
  const machine = tryMachine(configFor(kernel, rest), new TestHost());
  assert.ok(!machine.ok, 'should have been refused');
  assert.match(machine.error.message, /^[A-Z][^\n]*\.$/);
  return machine.error;
}

function withBoot(kernel: Uint8Array, boot: Partial<KernelSource>): Partial<MachineConfig> {
  return { boot: { kind: 'kernel', kernel, commandLine: '', modules: [], ...boot } };
}

/** Bytes that repeat from run to run. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

test('a processor model that does not exist: the sentence names those that do', () => {
  const { kind, message } = refusal(good, { cpuModel: 'z80' });
  assert.equal(kind, 'configuration');
  assert.match(message, /z80.*max.*x86-64-v2/);
});

test('memory sizes that no guest can have', () => {
  for (const memoryBytes of [0, -65_536, 1000, 65_537, 2 ** 32 + 65_536, 2 ** 60, Number.NaN]) {
    assert.equal(refusal(good, { memoryBytes }).kind, 'configuration');
  }
});

test('files that are no kernel', () => {
  for (const kernel of [new Uint8Array(0), new Uint8Array(10_000), noise(100, 1), noise(100_000, 2)]) {
    assert.equal(refusal(kernel).kind, 'input');
  }
});

test('an ELF kernel for another architecture', () => {
  const elf = new Uint8Array(200);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(elf.buffer).setUint16(16, 2, true);
  new DataView(elf.buffer).setUint16(18, 183, true);
  assert.equal(refusal(elf).kind, 'input');
});

test('a kernel cut anywhere is refused or starts', () => {
  for (let length = 0; length < good.length; length++) {
    const machine = tryMachine(configFor(good.slice(0, length), { memoryBytes: 4 * mebibyte }), new TestHost());
    assert.ok(machine.ok || /^[A-Z][^\n]*\.$/.test(machine.error.message));
  }
});

test('modules and command lines that do not fit', () => {
  const module = { data: new Uint8Array(20 * mebibyte), commandLine: 'module' };
  assert.equal(refusal(good, withBoot(good, { modules: [module] })).kind, 'input');
  assert.equal(refusal(good, withBoot(good, { initrd: module.data })).kind, 'input');
  assert.equal(refusal(good, withBoot(good, { commandLine: 'x'.repeat(17 * mebibyte) })).kind, 'input');
});

test('a file that its host cannot read any more', () => {
  const initrd = { role: 'initrd', path: 'gone', length: 100 };
  const machine = tryMachine(configFor(good, withBoot(good, { initrd })), new TestHost());
  assert.ok(!machine.ok);
  assert.deepEqual(machine.error, { kind: 'input', message: 'gone has changed.' });
});

test('a guest smaller than its kernel', () => {
  assert.equal(refusal(good, { memoryBytes: mebibyte }).kind, 'input');
});
