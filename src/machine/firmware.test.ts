/** Machines that start at the reset vector of a firmware image: 16-bit code of a few bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from './config.ts';
import { configFor, TestHost, tryMachine } from './testing/host.ts';

/** An image whose reset vector jumps to F000:0000, where `code` lies. */
function firmware(code: readonly number[], bytes = 0x1_0000): Uint8Array {
  const image = new Uint8Array(bytes).fill(0xf4);
  image.set(code, bytes - 0x1_0000);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], bytes - 16);
  return image;
}

function run(image: Uint8Array, memoryBytes = 16 * 2 ** 20): Outcome {
  const config = configFor(new Uint8Array(0), { boot: { kind: 'firmware', image }, memoryBytes });
  const machine = tryMachine(config, new TestHost());
  assert.ok(machine.ok, machine.ok ? '' : machine.error.message);
  return machine.value.run();
}

const exitWithAl = [0xe6, 0xf4];
const selectItem = (key: number): number[] => [0xb8, key & 0xff, key >> 8, 0xba, 0x10, 0x05, 0xef, 0x42];

test('the processor comes from the end of the image, and finds fw_cfg', () => {
  // IN AL, DX twice: the second letter of QEMU.
  const code = [...selectItem(0), 0xec, 0xec, ...exitWithAl];
  assert.deepEqual(run(firmware(code)), { kind: 'debug-exit', value: 'E'.charCodeAt(0) });
});

test('there are files for it', () => {
  // The fourth byte of the directory is the low one of its count.
  const code = [...selectItem(0x19), 0xec, 0xec, 0xec, 0xec, ...exitWithAl];
  assert.deepEqual(run(firmware(code)), { kind: 'debug-exit', value: 7 });
});

test('below 1 MiB the image is RAM', () => {
  // MOV AX, CS; MOV DS, AX; MOV byte [1234h], 99; MOV AL, [1234h]
  const code = [0x8c, 0xc8, 0x8e, 0xd8, 0xc6, 0x06, 0x34, 0x12, 99, 0xa0, 0x34, 0x12, ...exitWithAl];
  assert.deepEqual(run(firmware(code, 0x4_0000)), { kind: 'debug-exit', value: 99 });
});

test('at the end of 4 GiB it cannot be changed', () => {
  // Stays where it is: MOV byte CS:[FFF8h], 99; MOV AL, CS:[FFF8h]; OUT F4h, AL does not fit in 16 bytes, so it jumps.
  const image = firmware([]);
  const body = [0x2e, 0xc6, 0x06, 0xf8, 0xff, 99, 0x2e, 0xa0, 0xf8, 0xff, ...exitWithAl];
  image.set(body, 0xff00);
  // A near jump keeps CS and its base at the end of 4 GiB.
  image.set([0xe9, ...[0xff00 - 0xfff3].flatMap((distance) => [distance & 0xff, (distance >> 8) & 0xff])], 0xfff0);
  image[0xfff8] = 55;
  assert.deepEqual(run(image), { kind: 'debug-exit', value: 55 });
});

test('what is no firmware is refused', () => {
  for (const bytes of [0, 1000, 0x1_0001, 2 ** 25]) {
    const config = configFor(new Uint8Array(0), { boot: { kind: 'firmware', image: new Uint8Array(bytes) } });
    const machine = tryMachine(config, new TestHost());
    assert.ok(!machine.ok);
    assert.equal(machine.error.kind, 'input');
    assert.match(machine.error.message, /^The firmware has .*\.$/);
  }
});
