import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const [code, loops, f, g, data, stack] = [0x1_0000, 0x2_0000, 0x3_0000, 0x3_1000, 0x4_0000, 0x6_0000];
const hlt = 0xf4;

/** Runs from `rip` to a HLT. @param untilNs when the slices should end */
function run({ vcpu }: BareMachine, rip: number, registers: Readonly<Record<number, number>>, untilNs?: number): void {
  vcpu.state.rip = BigInt(rip);
  for (const [number, value] of Object.entries({ 4: stack, ...registers }))
    vcpu.state.setGpr(Number(number), BigInt(value));
  vcpu.halted = false;
  for (let n = 0; n < 1000 && vcpu.run(10_000, untilNs) === 'budget'; n++);
  assert.ok(vcpu.halted);
}

test('a slice that should end while a region is compared makes no difference', () => {
  const machine = bareMachine(4, 'verify');
  const { memory, vcpu } = machine;
  enterLongMode(machine, code);
  // The clock is looked at at every 32nd slow access, and each is slow here. A comparison has twice 112: each attempt has the
  // slice end at the same place, which is another one for every program.
  const [writes, rounds] = [16, 96];
  memory.write(f, Uint8Array.from([0x88, 0x07, hlt]));
  for (let n = 1; n <= 32; n++) {
    run(machine, f, { 7: data });
    // mov [rdi], al, so often; sti; nop; rep stosb; hlt
    const bytes = [...Array.from({ length: writes }, () => [0x88, 0x07]).flat(), 0xfb, 0x90, 0xf3, 0xaa, hlt];
    memory.write(code + n * 256, Uint8Array.from(bytes));
    run(machine, code + n * 256, { 0: n, 1: rounds, 7: data }, 1);
    assert.deepEqual([...memory.bytes.subarray(data, data + rounds)], new Array(rounds).fill(n));
  }
  assert.ok((vcpu.statistics().verifiedRuns ?? 0) >= 32);
});

test('with more entries than regions are kept for, hot ones are compared', () => {
  const machine = bareMachine(4, 'verify');
  const { vcpu, memory } = machine;
  enterLongMode(machine, code);
  // Each call by pointer comes back to an entry of its own: call rax, so often; hlt
  const calls = 4300;
  memory.write(code, Uint8Array.from([...Array.from({ length: calls }, () => [0xff, 0xd0]).flat(), hlt]));
  // L: call rax; dec ecx; jnz L; hlt
  memory.write(loops, Uint8Array.from([0xff, 0xd0, 0xff, 0xc9, 0x75, 0xfa, hlt]));
  // inc rdx; ret
  for (const at of [f, g]) memory.write(at, Uint8Array.from([0x48, 0xff, 0xc2, 0xc3]));
  const compared = (rip: number, callee: number, count: number): number => {
    const before = vcpu.statistics().verifiedRuns ?? 0;
    run(machine, rip, { 0: callee, 1: count, 2: 0 });
    assert.equal(vcpu.state.gpr(2), BigInt(count));
    return (vcpu.statistics().verifiedRuns ?? 0) - before;
  };
  assert.ok(compared(code, f, calls) >= 4096);
  assert.equal(compared(loops, g, 200), 0, 'not hot yet');
  assert.ok(compared(loops, g, 5000) >= 12);
});
