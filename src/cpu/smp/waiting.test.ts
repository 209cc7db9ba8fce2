import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine } from '../testing/bare-machine.ts';
import { place, runCode } from '../testing/run-code.ts';
import { soloBus } from './bus-module.ts';
import { allocateProcessorBoard, ProcessorBoard } from './processor-board.ts';
import { Siblings } from './siblings.ts';

const device = 0x3000_0000;
const rounds = 14_000;

test('a store after an access that waited is seen by whoever has claimed the code of its page meanwhile', () => {
  const board = new ProcessorBoard(allocateProcessorBoard());
  const machine = bareMachine(4, 'hot', {
    apicId: 0,
    siblings: ({ users }) =>
      new Siblings({ board, bus: soloBus, processor: 0, processors: 2, users, kick: () => {}, cores: 2 }),
  });
  const { vcpu, memory, mmio } = machine;
  const page = place.data >> 12;
  let reads = 0;
  mmio.map(device, 4096, {
    readMmio: () => {
      if (++reads === rounds) {
        board.postPage(0, page);
        vcpu.siblings?.block(() => {});
      }
      return 0;
    },
    writeMmio: () => {},
  });
  // L: mov [rbx], rax; mov edx, [r8]; mov [rbx + 8], rax; dec ecx; jnz L
  const code = [0x48, 0x89, 0x03, 0x41, 0x8b, 0x10, 0x48, 0x89, 0x43, 8, 0xff, 0xc9, 0x75, 0xf2];
  runCode(
    machine,
    code,
    () => {
      vcpu.state.setGpr(3, BigInt(place.data));
      vcpu.state.setGpr(8, BigInt(device));
      vcpu.state.setGpr(1, BigInt(rounds));
    },
    1000,
  );
  assert.equal(reads, rounds);
  assert.ok(vcpu.translatorStatistics.regions > 0);
  assert.ok(memory.users.writes(page, 0));
});
