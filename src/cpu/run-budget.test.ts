/** How long `run` may take: whatever the guest does, it comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine, enterLongMode } from './testing/bare-machine.ts';
import { place } from './testing/run-code.ts';

const rcx = 1;
const rdi = 7;
const rsp = 4;
const undefinedOpcode = 6;

function machineAt(code: readonly number[]) {
  const machine = bareMachine(4);
  enterLongMode(machine, place.code);
  machine.memory.write(place.code, Uint8Array.from(code));
  machine.vcpu.state.setGpr(rsp, BigInt(place.stack));
  return machine;
}

test('a handler that raises its own exception at once', () => {
  const { vcpu, memory } = machineAt([0x0f, 0x0b]);
  memory.writeU64(place.gdt + 8, 0x00af_9b00_0000_ffffn);
  vcpu.state.setTable('gdtr', BigInt(place.gdt), 15);
  vcpu.state.setTable('idtr', BigInt(place.idt), 0xfff);
  // The handler is the same UD2; the interrupt stack table gives it a fresh stack every time.
  const gate = (0x8e01n << 32n) | (8n << 16n) | BigInt(place.code & 0xffff) | (BigInt(place.code >>> 16) << 48n);
  memory.writeU64(place.idt + undefinedOpcode * 16, gate);
  memory.writeU64(place.data + 0x24, BigInt(place.stack));
  vcpu.state.setSegment(7, { selector: 0x20, base: BigInt(place.data), limit: 0x67, attributes: 0x8b });
  assert.equal(vcpu.run(1000), 'budget');
  assert.equal(vcpu.state.rip, BigInt(place.code));
});

test('every round of REP counts', () => {
  // REP LODSB; HLT
  const { vcpu } = machineAt([0xf3, 0xac, 0xf4]);
  vcpu.state.setGpr(rcx, 1_000_000n);
  assert.equal(vcpu.run(10_000), 'budget');
  const done = 1_000_000 - Number(vcpu.state.gpr(rcx));
  assert.ok(done >= 10_000 && done < 20_000, `${done} rounds`);
  assert.ok(vcpu.instructions < 100, `${vcpu.instructions} instructions`);
});

test('what REP STOS fills at once counts for as long as it takes', () => {
  // L: MOV RDI, RBX; MOV ECX, 100000h; REP STOSB; JMP L
  const { vcpu } = machineAt([0x48, 0x89, 0xdf, 0xb9, 0, 0, 0x10, 0, 0xf3, 0xaa, 0xeb, 0xf4]);
  vcpu.state.setGpr(3, 0x10_0000n);
  assert.equal(vcpu.run(1_000_000), 'budget');
  // A MiB has 32768 times 32 bytes.
  assert.ok(vcpu.instructions < 4 * 40, `${vcpu.instructions} instructions`);
  assert.ok(vcpu.state.gpr(rdi) >= 0x10_0000n);
});

test('slow instructions end at the time that the caller gives', () => {
  // L: CPUID; JMP L
  const { vcpu } = machineAt([0x0f, 0xa2, 0xeb, 0xfc]);
  const nowNs = Number(vcpu.readTsc());
  assert.equal(vcpu.run(1_000_000, nowNs + 5000), 'budget');
  // The clock of the bare machine moves by 1000 ns at every look.
  assert.ok(vcpu.instructions < 1000, `${vcpu.instructions} instructions`);
});
