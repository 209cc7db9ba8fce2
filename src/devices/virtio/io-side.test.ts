/** The I/O thread's half as a whole: what goes wrong inside a device, and the limits of the mailboxes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../../block/testing/memory-disk.ts';
import { VirtioBlock } from './block.ts';
import { Attention, allocateMailboxes, openMailbox, request } from './mailbox.ts';
import { EchoDevice } from './testing/echo-device.ts';
import { TestMachine, turn } from './testing/test-machine.ts';

test('a device that throws is reported, at once or later', async () => {
  const device = new EchoDevice([8]);
  device.notify = () => {
    throw new Error('at once');
  };
  const machine = new TestMachine(device);
  const [queue] = await machine.bringUp(0n);
  queue?.add([], [1]);
  queue?.ring();
  await turn();
  assert.equal(String(machine.crashes[0]), 'Error: at once');
  const disk = new MemoryDisk(4096);
  disk.read = () => Promise.reject(new Error('later'));
  const noSpace = (): Promise<void> => Promise.resolve();
  const block = new TestMachine(new VirtioBlock({ disk, serial: '', queues: 1, noSpace }));
  const [requests] = await block.bringUp(0n);
  requests?.add([new Uint8Array(16)], [512, 1]);
  requests?.ring();
  await turn();
  await turn();
  assert.equal(String(block.crashes[0]), 'Error: later');
});

test('the end of the machine stops the devices, and a start that was asked for too late is none', async () => {
  const device = new EchoDevice([8]);
  const machine = new TestMachine(device);
  const [queue] = await machine.bringUp(0n);
  const gate = Promise.withResolvers<void>();
  device.stopped = gate.promise;
  let over = false;
  const stopped = machine.io.stop().then(() => {
    over = true;
  });
  await turn();
  assert.equal(over, false, 'the device is not done yet');
  queue?.add([], [1]);
  queue?.ring();
  await turn();
  assert.deepEqual([queue?.usedIndex, device.chains], [0, 0]);
  gate.resolve();
  await stopped;
  assert.equal(over, true);
});

test('mailboxes lie apart, and their bits and numbers come out as they went in', () => {
  const device = (queues: number, config: number) =>
    new EchoDevice(new Array(queues).fill(8), { config: new Uint8Array(config).fill(config) });
  const descriptions = [device(3, 5), device(64, 8), device(1, 0)].map(({ description }) => description);
  const buffer = allocateMailboxes(descriptions);
  const boxes = descriptions.map((_, number) => openMailbox(buffer, descriptions, number));
  const layout = { size: 256, descriptors: 0x1_2345_6780, available: 0xffff_fff0, used: 2 ** 52 + 4 };
  boxes.forEach((box, n) => {
    box.setQueue(0, { ...layout, size: n + 1 });
    box.features = 0xffff_ffff_8000_0001n - BigInt(n);
    box.addRequests(request.config);
    box.ring(0);
  });
  boxes[1]?.ring(63);
  boxes[1]?.ring(31);
  boxes[1]?.noteUsed(32);
  boxes.forEach((box, n) => {
    assert.deepEqual(box.queue(0), { ...layout, size: n + 1 });
    assert.equal(box.features, 0xffff_ffff_8000_0001n - BigInt(n));
    assert.deepEqual([box.takeRequests(), box.takeRequests()], [request.config, 0]);
    assert.deepEqual(box.takeDoorbells(), n === 1 ? [0, 31, 63] : [0]);
    assert.deepEqual(box.takeDoorbells(), []);
    assert.deepEqual(box.takeUsed(), n === 1 ? [32] : []);
  });
  assert.deepEqual(
    boxes.map(({ config }) => [...config]),
    [[5, 5, 5, 5, 5], new Array(8).fill(8), []],
  );
  assert.equal(boxes[0]?.queue(1), undefined);
  assert.throws(() => allocateMailboxes(new Array(25).fill(descriptions[0])), /25 virtio devices/);
  assert.throws(() => allocateMailboxes([device(65, 0).description]), /too many queues/);
});

test('attention says whether the other side has to be woken', () => {
  const buffer = allocateMailboxes([]);
  const io = new Attention(buffer, 'io');
  const machine = new Attention(buffer, 'machine');
  assert.deepEqual([io.ask(3), io.ask(23), io.ask(3)], [true, false, false]);
  assert.equal(machine.wanted, false);
  assert.deepEqual([...io.take()], [3, 23]);
  assert.deepEqual([io.wanted, io.ask(0)], [false, true]);
});
