/** Loads of SS: other checks than those of DS, and an instruction that no interrupt comes before. SDM Vol. 2B "MOV". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine } from '../testing/bare-machine.ts';
import { runCode } from '../testing/run-code.ts';

/**
 * Two thousand rounds with the null selector, so that it is translated, and then one with the selector in EDX:
 * mov ecx, 2000; L: mov ss, ax (with REX.R, which means nothing there); dec ecx; jnz L; cmp eax, edx; je E; mov eax, edx; mov ecx, 1; jmp L; E:
 */
const code = [
  [0xb9, 0xd0, 0x07, 0, 0],
  [0x44, 0x8e, 0xd0, 0xff, 0xc9, 0x75, 0xf9],
  [0x39, 0xd0, 0x74, 0x09],
  [0x89, 0xd0, 0xb9, 1, 0, 0, 0, 0xeb, 0xec],
].flat();
const loadsSs = 5;
const gp = 13;

for (const translates of ['never', 'always', 'staying'] as const) {
  const load = (selector: number) => {
    const machine = bareMachine(4, translates);
    const setUp = (): void => {
      machine.vcpu.state.setGpr(0, 0n);
      machine.vcpu.state.setGpr(2, BigInt(selector));
    };
    const { vector, faultOffset } = runCode(machine, code, setUp, 20);
    return vector === undefined ? 'loaded' : [vector, faultOffset];
  };

  test(`MOV SS wants the null selector of the current level, or a writable segment of it (translated: ${translates})`, () => {
    assert.equal(load(0), 'loaded');
    assert.equal(load(16), 'loaded');
    assert.deepEqual(load(3), [gp, loadsSs]);
    assert.deepEqual(load(16 | 3), [gp, loadsSs]);
    // Code.
    assert.deepEqual(load(8), [gp, loadsSs]);
  });
}
