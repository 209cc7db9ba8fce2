/** Direct jumps to other pages remember where they led: what becomes of that when the other page changes or moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine } from '../testing/bare-machine.ts';
import { place, runCode } from '../testing/run-code.ts';
import { mapSmallPages } from '../testing/small-pages.ts';

const callee = 0x3_0000;
const elsewhere = 0x5_0000;
const rounds = 5;
const rbx = 3;

/** L: call callee; dec ecx; jnz L; hlt */
const caller = [0xe8, ...little(callee - place.code - 5), 0xff, 0xc9, 0x75, 0xf7, 0xf4];
/** add ebx, n; ret */
const adding = (n: number): Uint8Array => Uint8Array.from([0x81, 0xc3, ...little(n), 0xc3]);

function little(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
}

/** A machine whose caller has run; the first 2 MiB are mapped by pages of 4 KB. */
function started() {
  const machine = bareMachine(4, 'never');
  const { vcpu, memory } = machine;
  let map = (_linear: number, _entry: number): void => {};
  const call = (): { rbx: bigint; exit: string } => {
    vcpu.state.setGpr(rbx, 0n);
    vcpu.state.setGpr(1, BigInt(rounds));
    vcpu.state.setGpr(4, BigInt(place.stack));
    vcpu.state.rip = BigInt(place.code);
    vcpu.halted = false;
    return { exit: vcpu.run(1000), rbx: vcpu.state.gpr(rbx) };
  };
  memory.write(callee, adding(1));
  memory.write(elsewhere, adding(100));
  runCode(machine, caller, () => {
    map = mapSmallPages(machine);
    vcpu.state.setGpr(1, BigInt(rounds));
  });
  assert.deepEqual(call(), { exit: 'halt', rbx: BigInt(rounds) });
  return { machine, map, call };
}

test('code that is overwritten there is run as it is now, again and again', () => {
  const { machine, call } = started();
  for (const n of [7, 8, 9, 10]) {
    machine.memory.write(callee, adding(n));
    assert.deepEqual(call(), { exit: 'halt', rbx: BigInt(rounds * n) });
    assert.deepEqual(call(), { exit: 'halt', rbx: BigInt(rounds * n) });
  }
});

test('a page that lies elsewhere now is run from there, and from its old place when it is back', () => {
  const { map, call } = started();
  for (const [physical, sum] of [
    [elsewhere, 100n],
    [callee, 1n],
    [elsewhere, 100n],
  ] as const) {
    map(callee, physical | 3);
    assert.equal(call().rbx, BigInt(rounds) * sum);
    assert.equal(call().rbx, BigInt(rounds) * sum);
  }
});

test('a page that is gone is a page fault at the jump target', () => {
  const { machine, map, call } = started();
  map(callee, 0);
  assert.deepEqual(call(), { exit: 'halt', rbx: 0n });
  assert.equal(machine.vcpu.state.get64('cr2'), BigInt(callee));
  // RIP of the interrupt's frame, behind the error code.
  const frame = Number(machine.vcpu.state.gpr(4)) + 8;
  assert.equal(machine.memory.readU64(frame), BigInt(callee));
});

test('code that runs on into the next page finds what is there now', () => {
  const { machine, map } = started();
  const { vcpu, memory } = machine;
  const end = place.code + 0x1000;
  /** inc edx up to the end of the page. */
  memory.write(end - 8, Uint8Array.from([0xff, 0xc2, 0xff, 0xc2, 0xff, 0xc2, 0xff, 0xc2]));
  memory.write(end, Uint8Array.from([0xf4]));
  memory.write(elsewhere, Uint8Array.from([0xff, 0xc2, 0xf4]));
  for (const [physical, count] of [
    [end, 4n],
    [end, 4n],
    [elsewhere, 5n],
    [end, 4n],
  ] as const) {
    map(end, physical | 3);
    vcpu.state.setGpr(2, 0n);
    vcpu.state.rip = BigInt(end - 8);
    vcpu.halted = false;
    assert.equal(vcpu.run(1000), 'halt');
    assert.equal(vcpu.state.gpr(2), count);
  }
});
