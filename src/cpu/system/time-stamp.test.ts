/** RDTSC: the halves of the counter, with and without what the guest has added to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Processor } from '../processor.ts';
import { bareMachine } from '../testing/bare-machine.ts';
import { runCode } from '../testing/run-code.ts';
import { hostCallTable } from './host-calls.ts';

const [rax, rdx] = [0, 2];

for (const [adjust, ns] of [
  [0n, 7],
  [0n, 5 * 2 ** 32 + 0xffff_fff0],
  [0n, 2 ** 52 + 1],
  [3n, 2 ** 32 - 2],
  [-1n, 0],
] as const) {
  test(`${ns} ns and ${adjust}`, () => {
    const { vcpu } = bareMachine(4, 'never');
    const readTsc = (): bigint => BigInt.asUintN(64, BigInt(ns) + adjust);
    const processor = { state: vcpu.state, tscAdjust: adjust, nowNs: () => ns, readTsc } as unknown as Processor;
    vcpu.state.setGpr(rax, -1n);
    vcpu.state.setGpr(rdx, -1n);
    hostCallTable.rdtsc(processor);
    assert.equal((vcpu.state.gpr(rdx) << 32n) | vcpu.state.gpr(rax), readTsc());
  });
}

test('a guest that reads it twice sees it grow, adjusted or not', () => {
  for (const adjust of [0n, 1n << 40n]) {
    const machine = bareMachine(4, 'never');
    const { state } = machine.vcpu;
    // rdtsc; shl rdx, 32; lea rbx, [rax+rdx]; rdtsc; shl rdx, 32; add rax, rdx
    const twice = [0x0f, 0x31, 0x48, 0xc1, 0xe2, 32, 0x48, 0x8d, 0x1c, 0x10];
    runCode(machine, [...twice, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 32, 0x48, 0x01, 0xd0], () => {
      machine.vcpu.tscAdjust = adjust;
    });
    const [first, second] = [state.gpr(3), state.gpr(rax)];
    assert.ok(first >= adjust && second > first && second - first < 1_000_000n, `${first} ${second}`);
  }
});
