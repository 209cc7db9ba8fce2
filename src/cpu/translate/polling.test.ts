/** A guest that polls a device gives its processor back: the access leaves the region, PAUSE cuts the loop, and both lead back into it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const [code, device] = [0x10_0000, 0x80_0000];
/** The device is ready then, so that a slice without end has one here. */
const readyAfter = 1_000_000;
const budget = 1000;
const slices = 200;

/** Between the access and the jump back: nothing, PAUSE, an x87 instruction. */
const kinds = { nothing: [], pause: [0xf3, 0x90], fmul: [0xd8, 0xc8] } as const;

for (const mode of ['never', 'hot', 'always', 'staying'] as const) {
  for (const [name, between] of Object.entries(kinds)) {
    test(`${mode}, ${name} in the loop`, () => {
      const machine = bareMachine(4, mode);
      const { vcpu, memory, mmio } = machine;
      let reads = 0;
      mmio.map(device, 4096, { readMmio: () => (++reads < readyAfter ? 1 : 0), writeMmio: () => {} });
      enterLongMode(machine, code);
      // L: inc ecx; mov eax, [rbx]; …; test eax, eax; jnz L; hlt
      const loop = [0xff, 0xc1, 0x8b, 0x03, ...between, 0x85, 0xc0];
      memory.write(code, Uint8Array.from([...loop, 0x75, 256 - (loop.length + 2), 0xf4]));
      vcpu.state.setGpr(3, BigInt(device));
      for (let slice = 0; slice < slices; slice++) {
        const before = reads;
        assert.equal(vcpu.run(budget), 'budget', `slice ${slice}`);
        assert.ok(reads - before <= budget, `${reads - before} reads in slice ${slice}`);
      }
      assert.ok(reads > (slices * budget) / 8, `${reads} reads`);
    });
  }
}
