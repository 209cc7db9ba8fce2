import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { program, randomProgram, randomStream } from '../translate/testing/random-program.ts';
import { run } from '../translate/testing/run-program.ts';
import { prepareInterpreter } from './prepare.ts';

test('an interpreter that was made beforehand runs machines of every size, translating or not', () => {
  const interpreter = prepareInterpreter();
  for (const megabytes of [4, 64]) {
    for (const translates of ['never', 'hot'] as const) {
      const machine = bareMachine(megabytes, translates, { apicId: 0, interpreter });
      enterLongMode(machine, program.code);
      // mov ecx, 100000; L: add rax, rcx; dec rcx; jnz L; hlt
      const code = [0xb9, 0xa0, 0x86, 0x01, 0x00, 0x48, 0x01, 0xc8, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0xf4];
      machine.memory.write(program.code, new Uint8Array(code));
      machine.vcpu.state.setGpr(0, 0n);
      machine.vcpu.halted = false;
      for (let slice = 0; slice < 100 && machine.vcpu.run(100_000) === 'budget'; slice++);
      assert.equal(machine.vcpu.state.gpr(0), (100_000n * 100_001n) / 2n, `${megabytes} MiB, ${translates}`);
    }
  }
});

test('random programs end in the same state with handlers that were made beforehand', () => {
  const plain = bareMachine(4, 'never');
  const prepared = bareMachine(4, 'never', { apicId: 0, interpreter: prepareInterpreter() });
  for (let seed = 1; seed <= 40; seed++) {
    const code = randomProgram(randomStream(seed));
    assert.equal(run(prepared, code, 1_000_000), run(plain, code, 1_000_000), `seed ${seed}`);
  }
});
