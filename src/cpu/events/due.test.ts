import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eflags } from '../../spec/x86/registers.ts';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const vector = 0x40;
const gdt = 0x7000;
const idt = 0x8000;
const handler = 0x9000;
const stack = 0x2_0000;
const lastOfPage = 0x1_0fff;

const sti = 0xfb;
const incEax = [0xff, 0xc0] as const;
const hlt = 0xf4;
const sysretq = [0x48, 0x0f, 0x07] as const;

interface Interruptible extends BareMachine {
  /** Makes an interrupt wait, without telling the processor. */
  request(): void;
}

/** 64-bit code at `at`, interrupts disabled; vector 0x40 leads to a HLT. */
function machineWith(at: number, code: readonly number[]): Interruptible {
  const machine = bareMachine();
  const { vcpu, memory } = machine;
  enterLongMode(machine, at);
  let waits = false;
  Object.assign(vcpu.interrupts, {
    hasInterrupt: () => waits,
    acknowledge: () => {
      waits = false;
      return vector;
    },
  });
  memory.writeU64(gdt + 8, 0x00af_9b00_0000_ffffn);
  vcpu.state.setTable('gdtr', BigInt(gdt), 15);
  memory.writeU64(idt + vector * 16, (0x8en << 40n) | (8n << 16n) | BigInt(handler));
  vcpu.state.setTable('idtr', BigInt(idt), 0xfff);
  memory.writeU8(handler, hlt);
  memory.write(at, Uint8Array.from(code));
  vcpu.state.setGpr(4, BigInt(stack));
  return {
    ...machine,
    request: () => {
      waits = true;
    },
  };
}

/** Runs up to the handler's HLT. @returns where the interrupt came. */
function interruptedAt({ vcpu, memory }: Interruptible): bigint {
  for (let n = 0; n < 10 && vcpu.state.rip !== BigInt(handler + 1); n++) {
    vcpu.run(100);
    vcpu.halted = vcpu.halted && !vcpu.interrupts.hasInterrupt();
  }
  assert.equal(vcpu.state.rip, BigInt(handler + 1));
  return memory.readU64(Number(vcpu.state.gpr(4)));
}

test('an interrupt that waits comes one instruction after STI', () => {
  const machine = machineWith(0x1_0000, [sti, ...incEax, ...incEax, hlt]);
  machine.request();
  assert.equal(interruptedAt(machine), 0x1_0003n);
  assert.equal(machine.vcpu.state.gpr32(0), 1);
});

test('an interrupt that arrives right after STI, between two slices, comes one instruction later', () => {
  const machine = machineWith(lastOfPage, [sti, ...incEax, ...incEax, hlt]);
  assert.equal(machine.vcpu.run(0), 'budget');
  assert.equal(machine.vcpu.state.rip, BigInt(lastOfPage + 1));
  assert.ok(machine.vcpu.state.flag(eflags.if));
  machine.request();
  assert.equal(interruptedAt(machine), BigInt(lastOfPage + 3));
});

test('STI and HLT: the interrupt in between ends the halt', () => {
  const machine = machineWith(lastOfPage, [sti, hlt, ...incEax]);
  assert.equal(machine.vcpu.run(0), 'budget');
  machine.request();
  assert.equal(interruptedAt(machine), BigInt(lastOfPage + 2));
});

test('an interrupt that was kicked for in the same block comes one instruction after STI', () => {
  // MOV to an unmapped device, which raises the interrupt; then STI.
  const machine = machineWith(0x1_0000, [0xa0, 0, 0, 0x10, 0, 0, 0, 0, 0, sti, ...incEax, ...incEax, hlt]);
  const raise = (): number => {
    machine.request();
    machine.vcpu.kick();
    return 0;
  };
  machine.memory.writeU64(0x3000, 0xf000_0087n);
  machine.mmio.map(0xf010_0000, 0x1000, { readMmio: raise, writeMmio: () => {} });
  // Code, tables and stack move to the second mapping of RAM, at 2 MiB.
  machine.memory.writeU64(0x3008, 0x87n);
  const { vcpu, memory } = machine;
  const high = 0x20_0000n;
  memory.writeU64(idt + vector * 16, (0x8en << 40n) | (8n << 16n) | 0x20_0000_0000_0000n | BigInt(handler));
  vcpu.state.setTable('gdtr', high + BigInt(gdt), 15);
  vcpu.state.setTable('idtr', high + BigInt(idt), 0xfff);
  vcpu.state.setGpr(4, high + BigInt(stack));
  vcpu.state.rip += high;
  vcpu.flushTlb('all');
  for (let n = 0; n < 4; n++) vcpu.run(100);
  assert.equal(vcpu.state.rip, high + BigInt(handler + 1));
  assert.equal(memory.readU64(Number(vcpu.state.gpr(4) - high)), high + 0x1_000cn);
});

test('SYSRET that sets IF lets a waiting interrupt in before the first user instruction', () => {
  const machine = machineWith(0x1_0000, [...sysretq]);
  const { vcpu, memory } = machine;
  memory.write(0x1_1000, Uint8Array.of(...incEax, hlt));
  const tss = 0xa000;
  vcpu.state.setSegment(7, { selector: 0x40, base: BigInt(tss), limit: 0x67, attributes: 0x8b });
  memory.writeU64(tss + 4, BigInt(stack));
  vcpu.state.set64('star', 0x0013_0008n << 32n);
  vcpu.state.setGpr(1, 0x1_1000n);
  vcpu.state.setGpr(11, BigInt(eflags.if));
  machine.request();
  assert.equal(interruptedAt(machine), 0x1_1000n);
  assert.equal(vcpu.state.gpr32(0), 0);
});
