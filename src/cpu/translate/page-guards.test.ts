/** Regions over several pages, in address spaces that have some of them elsewhere, or not at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine } from '../testing/bare-machine.ts';
import { place, runCode } from '../testing/run-code.ts';
import { mapSmallPages } from '../testing/small-pages.ts';

type Mode = 'never' | 'hot' | 'always' | 'staying' | 'verify';

const callee = 0x3_0000;
const elsewhere = 0x5_0000;
const rounds = 30_000;
const rbx = 3;

const little = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);

/** L: test r8d, r8d; jz S; call callee; S: inc rax; dec ecx; jnz L; hlt */
const caller = [
  ...[0x45, 0x85, 0xc0, 0x74, 0x05, 0xe8, ...little(callee - place.code - 10)],
  ...[0x48, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xef, 0xf4],
];
/** add ebx, n; ret */
const adding = (n: number): Uint8Array => Uint8Array.from([0x81, 0xc3, ...little(n), 0xc3]);
/** L: add ebx, n; dec ecx; jnz L; hlt */
const looping = (n: number): Uint8Array => Uint8Array.from([0x81, 0xc3, ...little(n), 0xff, 0xc9, 0x75, 0xf6, 0xf4]);

/** A machine with the first 2 MiB mapped by pages of 4 KB. */
function started(mode: Mode) {
  const machine = bareMachine(4, mode);
  const { vcpu, memory } = machine;
  let map = (_linear: number, _entry: number): void => {};
  const call = (calls: boolean, start: number = place.code, count = rounds): bigint => {
    vcpu.state.setGpr(rbx, 0n);
    vcpu.state.setGpr(0, 0n);
    vcpu.state.setGpr(1, BigInt(count));
    vcpu.state.setGpr(8, calls ? 1n : 0n);
    vcpu.state.setGpr(4, BigInt(place.stack));
    vcpu.state.rip = BigInt(start);
    vcpu.halted = false;
    for (let n = 0; n < 10_000 && vcpu.run(10_000) === 'budget'; n++);
    assert.ok(vcpu.halted);
    return vcpu.state.gpr(rbx);
  };
  memory.write(callee, adding(1));
  memory.write(elsewhere, adding(100));
  runCode(machine, caller, () => {
    map = mapSmallPages(machine);
    vcpu.state.setGpr(1, 1n);
  });
  const counted = (): { interpreted: number; dropped: number; misplaced: number } => {
    const { interpretedInstructions = 0, droppedRegions = 0, misplaced = 0 } = vcpu.statistics();
    return { interpreted: interpretedInstructions, dropped: droppedRegions, misplaced };
  };
  return { machine, map, call, counted };
}

const modes: readonly Mode[] = ['never', 'hot', 'always', 'staying', 'verify'];

test('a page that another address space has elsewhere is run from there, as often as they take turns', () => {
  for (const mode of modes) {
    const { map, call, counted } = started(mode);
    const few = mode === 'verify' ? 2 : 20;
    assert.equal(call(true), BigInt(rounds));
    for (let n = 0; n < few; n++) {
      map(callee, elsewhere | 3);
      assert.equal(call(true, place.code, 50), 5000n, `${mode}, elsewhere, ${n}`);
      map(callee, callee | 3);
      assert.equal(call(true, place.code, 50), 50n, `${mode}, back, ${n}`);
    }
    if (mode === 'hot') assert.equal(counted().dropped, 0);
  }
});

test('a region runs in an address space that lacks a page which it does not come to', () => {
  const { map, call, counted } = started('hot');
  assert.equal(call(true), BigInt(rounds));
  map(callee, 0);
  const before = counted();
  for (let n = 0; n < 40; n++) {
    map(callee, 0);
    assert.equal(call(false), 0n);
  }
  const after = counted();
  assert.ok(after.interpreted - before.interpreted < 40 * 100, `${after.interpreted - before.interpreted} interpreted`);
  assert.equal(after.dropped, before.dropped);
  assert.equal(after.misplaced, before.misplaced);
});

test('a page that is not there is a page fault where the region would go on in it', () => {
  for (const mode of modes) {
    const { machine, map, call } = started(mode);
    const { state } = machine.vcpu;
    assert.equal(call(true), BigInt(rounds));
    for (let n = 0; n < 20; n++) {
      map(callee, 0);
      assert.equal(call(true, place.code, 1000), 0n);
      assert.equal(state.get64('cr2'), BigInt(callee), mode);
      assert.equal(machine.memory.readU64(Number(state.gpr(4)) + 8), BigInt(callee), mode);
      assert.equal(state.gpr(0), 0n);
      assert.equal(state.gpr(1), 1000n);
    }
  }
});

test('a loop that begins in front of a page end goes on in whatever page comes then', () => {
  for (const mode of modes) {
    const { machine, map, call } = started(mode);
    const { memory } = machine;
    // The first instruction has bytes in both pages.
    const start = callee - 3;
    memory.write(start, looping(1));
    memory.write(elsewhere - 3, looping(0x0101_0101));
    assert.equal(call(false, start), BigInt(rounds), mode);
    for (let n = 0; n < 20; n++) {
      map(callee, elsewhere | 3);
      // Of the number, the first page has the lowest byte, and the second the others.
      assert.equal(call(false, start, 50), 50n * 0x0101_0101n, `${mode}, ${n}`);
      map(callee, callee | 3);
      assert.equal(call(false, start, 50), 50n, `${mode}, ${n}`);
    }
  }
});
