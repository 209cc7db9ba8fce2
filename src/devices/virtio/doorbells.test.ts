/** Doorbells that a processor without registers rings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pciCommand, pciConfig } from '../../spec/pc/pci.ts';
import { EchoDevice } from './testing/echo-device.ts';
import { barBase, TestMachine, turn } from './testing/test-machine.ts';
import { structure } from './virtio-capabilities.ts';

const bell = (queue: number, base = barBase): number => base + structure.notify + queue * structure.notifyMultiplier;

test('another processor rings a queue, and the device serves it', async () => {
  const device = new EchoDevice([8, 8]);
  const machine = new TestMachine(device);
  const [first, second] = await machine.bringUp(0n);
  second?.add([], [1]);
  assert.equal(machine.doorbells.ring(bell(1)), true);
  await turn();
  assert.deepEqual([first?.usedIndex, second?.usedIndex], [0, 1]);
});

test('nothing else is a doorbell', async () => {
  const machine = new TestMachine(new EchoDevice([8, 8]));
  await machine.bringUp(0n);
  for (const address of [0, barBase, bell(0) - 1, bell(0) + 1, bell(1) + 2, bell(2), bell(0) + 2 ** 32, 2 ** 52 - 1]) {
    assert.equal(machine.doorbells.ring(address), false, address.toString(16));
  }
});

test('doorbells are where the guest has put them, and nowhere while it has not', async () => {
  const machine = new TestMachine(new EchoDevice([8]));
  const { pciFunction } = machine.pci;
  pciFunction.writeConfig(pciConfig.command, 2, 0);
  assert.equal(machine.doorbells.ring(bell(0)), false);
  const elsewhere = 0xe100_0000;
  pciFunction.writeConfig(pciConfig.bar0, 4, elsewhere);
  pciFunction.writeConfig(pciConfig.command, 2, pciCommand.memory);
  assert.equal(machine.doorbells.ring(bell(0)), false);
  assert.equal(machine.doorbells.ring(bell(0, elsewhere)), true);
  machine.pci.reset();
  assert.equal(machine.doorbells.ring(bell(0, elsewhere)), false);
  await turn();
  assert.deepEqual(machine.crashes, []);
});

test('a device that is not up, or being reset, does not hear', async () => {
  const device = new EchoDevice([8, 8]);
  const machine = new TestMachine(device);
  machine.doorbells.ring(bell(0));
  await turn();
  const [queue] = await machine.bringUp(0n, [8]);
  // The second queue was not enabled.
  machine.doorbells.ring(bell(1));
  queue?.add([], [1]);
  const gate = Promise.withResolvers<void>();
  device.stopped = gate.promise;
  machine.status = 0;
  machine.doorbells.ring(bell(0));
  await turn();
  assert.deepEqual([queue?.usedIndex, device.chains], [0, 0]);
  gate.resolve();
  await turn();
  machine.doorbells.ring(bell(0));
  await turn();
  assert.deepEqual([queue?.usedIndex, device.chains, machine.reports, machine.crashes], [0, 0, [], []]);
});
