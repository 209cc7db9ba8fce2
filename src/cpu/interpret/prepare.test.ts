import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { program, randomProgram, randomStream } from '../translate/testing/random-program.ts';
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
  const interpreter = prepareInterpreter();
  const [plain, prepared] = [{ apicId: 0 }, { apicId: 0, interpreter }].map((more) => bareMachine(4, 'never', more));
  for (let seed = 1; seed <= 40; seed++) {
    const code = randomProgram(randomStream(seed));
    const [expected, found] = [plain, prepared].map((machine) => {
      assert.ok(machine !== undefined);
      enterLongMode(machine, program.code);
      machine.memory.write(program.data, new Uint8Array(512).fill(seed));
      machine.memory.write(program.code, code);
      for (let n = 0; n < 16; n++) machine.vcpu.state.setGpr(n, 0x9e37_79b9_7f4a_7c15n * BigInt(n + 1));
      machine.vcpu.state.setGpr(3, BigInt(program.data));
      machine.vcpu.state.setGpr(4, BigInt(program.stack));
      machine.vcpu.halted = false;
      for (let slice = 0; slice < 100 && machine.vcpu.run(100_000) === 'budget'; slice++);
      const registers = Array.from({ length: 16 }, (_, n) => machine.vcpu.state.gpr(n));
      return [machine.vcpu.state.rip, ...registers, machine.memory.bytes.slice(program.data, program.data + 512)];
    });
    assert.deepEqual(found, expected, `seed ${seed}`);
  }
});
