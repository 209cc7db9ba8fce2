import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tlb } from '../state/layout.ts';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const [code, data, counter] = [0x10_0000, 0x20_0000, 0x30_0000];
/** Between pages that have the same place in the TLB. */
const stride = tlb.entries * 4096;
/** Until the loop is hot, a region of it was left too often, and another one has taken its place. */
const rounds = 300_000;

/**
 * mov ecx, rounds; L: add rax, [rbx]; add rax, [rbx + stride]; add [rsi + 8], ecx; dec ecx; jnz L; hlt. With `stride` 0 all
 * of it hits the TLB.
 */
function loop(distance: number): Uint8Array {
  const bytes = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  return Uint8Array.from([
    ...[0xb9, ...bytes(rounds)],
    ...[0x48, 0x03, 0x03],
    ...[0x48, 0x03, 0x83, ...bytes(distance)],
    ...[0x01, 0x4e, 0x08],
    ...[0xff, 0xc9, 0x75, 0xef, 0xf4],
  ]);
}

function run(translates: 'never' | 'hot' | 'always' | 'staying', distance: number) {
  const machine = bareMachine(32, translates);
  const { vcpu, memory } = machine;
  enterLongMode(machine, code);
  memory.write(code, loop(distance));
  memory.writeU64(data, 3n);
  memory.writeU64(data + distance, 4n);
  vcpu.state.setGpr(3, BigInt(data));
  vcpu.state.setGpr(6, BigInt(counter));
  while (vcpu.run(10_000) === 'budget');
  const { remadeRegions = 0, interpretedInstructions = 0 } = vcpu.statistics();
  const sums = [vcpu.state.gpr(0), BigInt(memory.readU32(counter + 8))];
  return { sums, remadeRegions, interpretedInstructions, instructions: vcpu.instructions };
}

test('a region that misses the TLB again and again is made to stay', () => {
  const expected = run('never', stride);
  assert.equal(expected.sums[0], 7n * BigInt(rounds));
  for (const mode of ['hot', 'always'] as const) {
    const { sums, remadeRegions, interpretedInstructions, instructions } = run(mode, stride);
    assert.deepEqual([sums, instructions], [expected.sums, expected.instructions], mode);
    assert.ok(remadeRegions >= 1, mode);
    // Some rounds until it is hot, some until it was left too often.
    assert.ok(interpretedInstructions < instructions / 3, `${mode}: ${interpretedInstructions} interpreted`);
  }
});

test('one that hits is not, and neither is one that stays from the beginning', () => {
  const expected = run('never', 0);
  for (const mode of ['hot', 'always', 'staying'] as const) {
    const { sums, remadeRegions } = run(mode, 0);
    assert.deepEqual([sums, remadeRegions], [expected.sums, 0], mode);
  }
  assert.deepEqual([run('staying', stride).sums, run('staying', stride).remadeRegions], [run('never', stride).sums, 0]);
});
