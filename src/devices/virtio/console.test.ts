import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consoleEvent, consoleFeature, consoleQueue } from '../../spec/virtio/console.ts';
import { virtioStatus } from '../../spec/virtio/virtio.ts';
import { VirtioConsole } from './console.ts';
import type { DriverQueue } from './testing/driver-queue.ts';
import { TestMachine, turn } from './testing/test-machine.ts';

const { deviceReady, portAdd, portReady, consolePort, portOpen, portName } = consoleEvent;
const { controlReceive, controlTransmit } = consoleQueue;

/** A console and a port with a name, which note what they receive. */
async function bench(features: bigint = consoleFeature.multiport) {
  const received: [string, string] = ['', ''];
  const opened: boolean[] = [];
  let gate: Promise<void> = Promise.resolve();
  const receive = (port: 0 | 1) => (bytes: Uint8Array) => {
    received[port] += Buffer.from(bytes).toString();
    return gate;
  };
  const device = new VirtioConsole([
    { name: '', console: true, receive: receive(0) },
    { name: 'org.example.1', console: false, receive: receive(1), guestOpened: (open) => void opened.push(open) },
  ]);
  const machine = new TestMachine(device);
  const queues = await machine.bringUp(features);
  const queue = (index: number): DriverQueue => queues[index] as DriverQueue;
  const control = async (id: number, event: number, value: number): Promise<void> => {
    const message = new DataView(new ArrayBuffer(8));
    message.setUint32(0, id, true);
    message.setUint16(4, event, true);
    message.setUint16(6, value, true);
    await queue(controlTransmit).exchange([new Uint8Array(message.buffer)], []);
  };
  /** Gives buffers for control messages, and reads what has arrived in one. */
  let given: number[] = [];
  const give = (count: number): void => {
    for (let n = 0; n < count; n++) given.push(queue(controlReceive).add([], [64]).writable[0] as number);
    queue(controlReceive).ring();
  };
  const told = async (): Promise<[number, number, number, string]> => {
    const { written } = await queue(controlReceive).next();
    const bytes = Buffer.from(machine.memory.read(given[0] as number, written));
    given = given.slice(1);
    return [bytes.readUInt32LE(0), bytes.readUInt16LE(4), bytes.readUInt16LE(6), bytes.toString('latin1', 8)];
  };
  const hold = (until: Promise<void>): void => {
    gate = until;
  };
  return { device, machine, queue, control, give, told, received, opened, hold };
}

test('ports are announced, named, and opened as far as somebody is there', async () => {
  const { device, control, give, told } = await bench();
  device.setHostOpen(1, false);
  give(12);
  await control(0xffff_ffff, deviceReady, 1);
  assert.deepEqual(
    [await told(), await told()],
    [
      [0, portAdd, 0, ''],
      [1, portAdd, 0, ''],
    ],
  );
  await control(0, portReady, 1);
  assert.deepEqual(
    [await told(), await told()],
    [
      [0, consolePort, 1, ''],
      [0, portOpen, 1, ''],
    ],
  );
  await control(1, portReady, 1);
  assert.deepEqual(await told(), [1, portName, 1, 'org.example.1']);
  device.setHostOpen(1, true);
  device.setHostOpen(1, true);
  assert.deepEqual(await told(), [1, portOpen, 1, '']);
  device.setHostOpen(1, false);
  assert.deepEqual(await told(), [1, portOpen, 0, '']);
});

test('messages wait for buffers', async () => {
  const { control, give, told } = await bench();
  await control(0, deviceReady, 1);
  give(1);
  assert.deepEqual(await told(), [0, portAdd, 0, '']);
  give(1);
  assert.deepEqual(await told(), [1, portAdd, 0, '']);
});

test('what the guest sends arrives in order; a buffer is given back when its bytes were taken', async () => {
  const { queue, received, hold } = await bench();
  await queue(1).exchange([Buffer.from('hel'), Buffer.from('lo ')], []);
  const gate = Promise.withResolvers<void>();
  hold(gate.promise);
  queue(1).add([Buffer.from('slow ')], []);
  queue(1).add([Buffer.from('reader')], []);
  queue(1).ring();
  await turn();
  await turn();
  assert.equal(received[0], 'hello slow ');
  assert.equal(queue(1).usedIndex, 1);
  gate.resolve();
  await queue(1).next();
  await queue(1).next();
  assert.equal(received[0], 'hello slow reader');
  await queue(5).exchange([Buffer.from('x'.repeat(200_000))], []);
  assert.equal(received[1].length, 200_000);
});

test('input waits for the buffers of a console', async () => {
  const { device, machine, queue } = await bench();
  const first = queue(0).add([], [4]);
  queue(0).ring();
  await turn();
  let taken = false;
  void device.send(0, Buffer.from('hello')).then(() => {
    taken = true;
  });
  assert.equal((await queue(0).next()).written, 4);
  assert.equal(Buffer.from(machine.memory.read(first.writable[0] as number, 4)).toString(), 'hell');
  await turn();
  assert.equal(taken, false);
  const { buffers, written } = await queue(0).exchange([], [4]);
  assert.deepEqual([written, buffers[0]?.[0], taken], [1, 'o'.charCodeAt(0), true]);
});

test('a port that no program has open takes nothing, and says when one has', async () => {
  const { device, queue, control, opened } = await bench();
  queue(4).add([], [10]);
  queue(4).ring();
  const sent = device.send(1, Buffer.from('abc'));
  await turn();
  await turn();
  assert.equal(queue(4).usedIndex, 0);
  await control(1, portOpen, 1);
  assert.equal((await queue(4).next()).written, 3);
  assert.equal(await sent, true);
  await control(1, portOpen, 0);
  assert.deepEqual(opened, [true, false]);
});

test('a driver that knows one port has one', async () => {
  const { device, queue, received } = await bench(0n);
  await queue(1).exchange([Buffer.from('plain')], []);
  assert.equal(received[0], 'plain');
  queue(0).add([], [10]);
  queue(0).ring();
  assert.equal(await device.send(0, Buffer.from('in')), true);
});

test('a reset: what was not taken is not, what comes later is', async () => {
  const { device, machine, received } = await bench();
  const lost = device.send(0, Buffer.from('lost'));
  machine.status = 0;
  await turn();
  assert.equal(await lost, false);
  const queues = await machine.bringUp(consoleFeature.multiport);
  await queues[1]?.exchange([Buffer.from('again')], []);
  assert.equal(received[0], 'again');
});

test('control messages that are short, of no port, or never taken', async () => {
  const { machine, queue, control, give, told } = await bench();
  await queue(controlTransmit).exchange([Uint8Array.of(1, 2, 3)], []);
  await queue(controlTransmit).exchange([], []);
  await control(7, portReady, 1);
  await control(7, portOpen, 1);
  await control(0, 99, 1);
  give(1);
  await control(0, portReady, 1);
  assert.deepEqual(await told(), [0, consolePort, 1, '']);
  for (let n = 0; n < 600 && (machine.status & virtioStatus.needsReset) === 0; n++)
    await control(0, deviceReady, 1).catch(() => {});
  assert.notEqual(machine.status & virtioStatus.needsReset, 0);
});
