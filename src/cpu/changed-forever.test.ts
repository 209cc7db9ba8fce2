import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine } from './testing/bare-machine.ts';
import { place, runCode } from './testing/run-code.ts';

/** INT1 */
const icebp = 0xf1;
const [handler, stack] = [place.handlers + 16, 0x10_0000];

test('an interrupt whose handler raises it again comes to the end of a slice', { timeout: 60_000 }, () => {
  for (const mode of ['never', 'always', 'staying'] as const) {
    const machine = bareMachine(4, mode);
    const { state } = machine.vcpu;
    const setUp = (): void => {
      machine.memory.writeU8(handler, icebp);
      state.setGpr(4, BigInt(stack));
    };
    assert.throws(() => runCode(machine, [icebp], setUp, 3), /did not halt/);
    assert.equal(state.rip, BigInt(handler), mode);
    // A frame of 40 bytes each time, some thousand of which make a slice.
    assert.ok(state.gpr(4) < BigInt(stack - 2000 * 40), mode);
  }
});
