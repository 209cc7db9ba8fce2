/** A machine and its devices on two threads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtioEntropy } from '../../devices/virtio/entropy.ts';
import type { Accelerator } from '../../machine/config.ts';
import { allocateMachine } from '../../machine/shared-machine.ts';
import { bareMetal, dword, exit, store } from '../../machine/testing/guest.ts';
import { configFor } from '../../machine/testing/host.ts';
import { GuestThreads } from './guest-threads.ts';
import { Vm } from './vm.ts';

/** Where firmware has put the registers of the first virtio device. */
const registers = 0x8000_0000;
const doorbell = registers + 0x3000;
const code = 0x40_0000;
const descriptors = 0x50_0000;
const available = 0x50_1000;
const used = 0x50_2000;
const rounds = 200;
const callsPerRound = 2000;

/** VIRTIO 1.2 3.1.1, with a queue of two entries; both name one buffer, the code. */
const driver = [
  store(registers + 0x14, 0x03),
  store(registers + 0x08, 1),
  store(registers + 0x0c, 1),
  store(registers + 0x14, 0x0b),
  store(registers + 0x18, 0xffff_0002),
  store(registers + 0x20, descriptors),
  store(registers + 0x28, available),
  store(registers + 0x30, used),
  store(registers + 0x1c, 1),
  store(registers + 0x14, 0x0f),
  store(descriptors, code),
  store(descriptors + 8, 3),
  store(descriptors + 12, 2),
];

/** Again and again: has the device write a function, waits, and runs it. */
function program(): number[][] {
  const failed = exit(1);
  const passed = exit(7);
  const round = [
    [0x42], // inc edx
    [0x66, 0x89, 0x15, ...dword(available + 2)], // mov [available index], dx
    store(doorbell, 0),
    [0x66, 0x39, 0x15, ...dword(used + 2), 0x75, 0xf7], // cmp [used index], dx; jne back to it
    [0xb9, ...dword(callsPerRound), 0xff, 0xd3, 0xe2, 0xfc], // mov ecx; call ebx; loop to the call
    [0x38, 0xd0, 0x75, 12 + passed.length], // cmp al, dl; jne to the exit that says so
    [0x81, 0xfa, ...dword(rounds)], // cmp edx
  ].flat();
  const again = [0x0f, 0x82, ...dword(-(round.length + 6))]; // jb to the round
  const start = [0x31, 0xd2, 0xbb, ...dword(code)]; // xor edx, edx; mov ebx
  return [...driver, start, round, again, passed, failed];
}

function start(accel: Accelerator): Vm {
  let count = 0;
  // mov al, count; ret
  const device = new VirtioEntropy((into) => into.set([0xb0, ++count, 0xc3]));
  const config = configFor(bareMetal(program()), { accel });
  const shared = allocateMachine(config.memoryBytes, [device.description]);
  assert.ok(shared.ok);
  return new Vm({
    config,
    shared: shared.value,
    devices: [device],
    threads: new GuestThreads(),
    sink: () => Promise.resolve(),
    report: (_device, reason) => assert.fail(reason),
  });
}

for (const accel of ['interpret', 'auto'] as const) {
  test(`${accel}: code that a device writes over runs as it was written last`, { timeout: 120_000 }, async (t) => {
    const vm = start(accel);
    // One that never comes to its end would keep this process alive.
    t.after(() => vm.stop());
    const report = await vm.ended;
    assert.equal(report.kind, 'ended');
    assert.deepEqual(report.kind === 'ended' && report.outcome, { kind: 'debug-exit', value: 7 });
  });
}
