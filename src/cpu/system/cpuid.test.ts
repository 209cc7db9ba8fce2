import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const code = 0x10000;

/** EAX, EBX, ECX, EDX after CPUID with this leaf in EAX and this subleaf in ECX, in user code. */
function cpuid(leaf: number, subleaf: number): readonly number[] {
  const machine = bareMachine();
  enterLongMode(machine, code, 3);
  const { state } = machine.vcpu;
  machine.memory.write(code, Uint8Array.of(0x0f, 0xa2));
  state.setGpr32(0, leaf);
  state.setGpr32(1, subleaf);
  machine.vcpu.run(1);
  return [0, 3, 1, 2].map((register) => state.gpr32(register) >>> 0);
}

test('a leaf without subleaves answers the same whatever ECX holds (SDM Vol. 2A "CPUID")', () => {
  for (const leaf of [0, 1, 6, 0x16, 0x4000_0001, 0x8000_0001, 0x8000_0008]) {
    assert.deepEqual(cpuid(leaf, 0x1234_5678), cpuid(leaf, 0), `leaf ${leaf.toString(16)}`);
  }
});

test('leaf 1 names what every 64-bit processor has', () => {
  const [, , , edx = 0] = cpuid(1, 7);
  const required = {
    fpu: 0,
    tsc: 4,
    msr: 5,
    pae: 6,
    cx8: 8,
    apic: 9,
    pge: 13,
    cmov: 15,
    mmx: 23,
    fxsr: 24,
    sse: 25,
    sse2: 26,
  };
  for (const [name, bit] of Object.entries(required)) assert.equal((edx >>> bit) & 1, 1, name);
});

test('leaf 7 answers by subleaf', () => {
  assert.notDeepEqual(cpuid(7, 0), cpuid(7, 1));
});
