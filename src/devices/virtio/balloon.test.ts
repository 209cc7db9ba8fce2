import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageFlag } from '../../memory/guest-memory.ts';
import { balloonConfig, balloonFeature, balloonQueue, balloonStatisticTags } from '../../spec/virtio/balloon.ts';
import { VirtioBalloon } from './balloon.ts';
import { ramBytes, TestMachine, turn } from './testing/test-machine.ts';
import { structure } from './virtio-capabilities.ts';

async function bench(targetBytes = 0) {
  const released: [number, number][] = [];
  const device = new VirtioBalloon({ targetBytes, release: (offset, length) => void released.push([offset, length]) });
  const machine = new TestMachine(device);
  const queues = await machine.bringUp(device.description.features, [8, 8, 8, 8, 8]);
  const queue = (index: number) => queues[index] as (typeof queues)[number];
  return { device, machine, queue, released };
}

const pageNumbers = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);

test('the target is in the configuration from the start, and changes with an interrupt', async () => {
  const { device, machine } = await bench(1 << 20);
  const target = (): number => machine.read(structure.device + balloonConfig.target, 4);
  assert.equal(target(), 256);
  device.setTarget(2 << 20);
  assert.equal(target(), 512);
  assert.deepEqual(machine.messages, [0]);
  machine.write(structure.device + balloonConfig.actual, 4, 100);
  assert.equal(device.actualBytes, 100 * 4096);
});

test('pages of the balloon go back to the host, neighbours together; what is no RAM does not', async () => {
  const { device, machine, queue, released } = await bench();
  const dropped: number[] = [];
  machine.memory.onCodeWrite((offset) => void dropped.push(offset));
  machine.memory.markCode(6);
  const last = ramBytes / 4096 - 1;
  const numbers = pageNumbers(7, 5, 6, 20, last, last + 1, 0xfee00, 0xffff_ffff, 5);
  await queue(balloonQueue.inflate).exchange([numbers, Uint8Array.of(1, 2)], []);
  assert.deepEqual(released, [
    [5 * 4096, 3 * 4096],
    [20 * 4096, 4096],
    [last * 4096, 4096],
  ]);
  assert.equal(device.releasedBytes, 5 * 4096);
  await turn();
  assert.deepEqual(dropped, [6 * 4096]);
  assert.equal((machine.memory.pageFlags[20] as number) & pageFlag.dirty, pageFlag.dirty);
  await queue(balloonQueue.deflate).exchange([numbers], []);
  assert.equal(released.length, 3);
});

test('reported pages go back, but nothing of a page that is not reported whole; on either numbering', async () => {
  const { machine, queue, released } = await bench();
  for (const index of [balloonQueue.reporting, balloonQueue.reportingOfAll]) {
    const { writable } = queue(index).add([], [3 * 4096]);
    queue(index).ring();
    assert.equal((await queue(index).next()).written, 0);
    assert.deepEqual(released.pop(), [writable[0], 3 * 4096]);
  }
  const at = machine.allocate(16_384);
  queue(3).writeDescriptor(queue(3).descriptors, 4, { address: at + 100, length: 8192, flags: 2 });
  queue(3).writeDescriptor(queue(3).descriptors, 5, { address: at + 1, length: 4094, flags: 2 });
  queue(3).offer(4);
  queue(3).offer(5);
  queue(3).ring();
  await queue(3).next();
  await queue(3).next();
  assert.deepEqual(released, [[at + 4096, 4096]]);
});

test('statistics come when they are asked for; unknown tags and halves are left out', async () => {
  const { device, queue, machine } = await bench();
  const statistics = (...pairs: [number, bigint][]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(pairs.length * 10));
    pairs.forEach(([tag, value], n) => {
      view.setUint16(n * 10, tag, true);
      view.setBigUint64(n * 10 + 2, value, true);
    });
    return new Uint8Array(view.buffer);
  };
  const stats = queue(balloonQueue.statistics);
  stats.add([statistics([4, 1000n], [5, 5000n])], []);
  stats.ring();
  await turn();
  assert.deepEqual(device.statistics, { freeBytes: 1000, totalBytes: 5000 });
  assert.equal(stats.usedIndex, 0, 'the buffer stays with the device');
  device.requestStatistics();
  await stats.next();
  device.requestStatistics();
  stats.add([statistics([4, 900n], [77, 1n]), Uint8Array.of(4, 0, 1)], []);
  stats.ring();
  await stats.next();
  assert.deepEqual(device.statistics, { freeBytes: 900 });
  // A second buffer is more than there should be: the first comes back.
  stats.add([], []);
  stats.add([new Uint8Array(100_000).fill(1)], []);
  stats.ring();
  await turn();
  assert.deepEqual(machine.reports.length + Object.keys(device.statistics).length, 0);
  assert.equal(balloonStatisticTags.length, 10);
});

test('what is offered', async () => {
  const { device } = await bench();
  const { statistics, deflateOnOom, pageReporting } = balloonFeature;
  assert.equal(device.description.features, statistics | deflateOnOom | pageReporting);
});
