/** What `--count-tlb-hits` counts: every look of emitted code into the TLB, whoever emitted it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepareInterpreter } from './interpret/prepare.ts';
import { bareMachine, enterLongMode } from './testing/bare-machine.ts';

const rounds = 1000;
/** A page, and one of the instructions' own. */
const [data, code] = [0x20_0000, 0x10_0000];
/** mov ecx, 1000; L: mov rax, [rbx]; add [rbx + 0x800], rax; movups xmm1, [rbx + 0x400]; push rax; dec ecx; jnz L; hlt */
const loop = [
  [0xb9, 0xe8, 0x03, 0x00, 0x00],
  [0x48, 0x8b, 0x03],
  [0x48, 0x01, 0x83, 0x00, 0x08, 0x00, 0x00],
  [0x0f, 0x10, 0x8b, 0x00, 0x04, 0x00, 0x00],
  [0x50],
  [0xff, 0xc9, 0x75, 0xeb, 0xf4],
].flat();
const looksOfRound = 4;

function runLoop(translates: 'never' | 'always' | 'staying', countsLookups: boolean): Readonly<Record<string, number>> {
  // Prepared without counting, as the program's build prepares it.
  const machine = bareMachine(4, translates, { apicId: 0, countsLookups, interpreter: prepareInterpreter() });
  enterLongMode(machine, code);
  machine.memory.write(code, new Uint8Array(loop));
  machine.vcpu.state.setGpr(3, BigInt(data));
  machine.vcpu.state.setGpr(4, BigInt(data + 0x4_0000));
  while (machine.vcpu.run(100_000) === 'budget');
  assert.equal(machine.vcpu.state.gpr(1), 0n);
  return machine.vcpu.statistics();
}

for (const translates of ['never', 'always', 'staying'] as const) {
  test(`accesses of a loop count once each (translated: ${translates})`, () => {
    const { tlbHits, tlbMisses, translatedInstructions } = runLoop(translates, true);
    assert.equal((translatedInstructions as number) > 0, translates !== 'never');
    assert.equal((tlbHits as number) + (tlbMisses as number), looksOfRound * rounds);
    // One for reads of the page, one for writes, and one for each page of the stack.
    assert.equal(tlbMisses, 4);
  });
}

test('nothing is counted where nobody asked for it', () => {
  assert.equal('tlbHits' in runLoop('always', false), false);
});
